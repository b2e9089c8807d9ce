#!/bin/sh
# selftest.sh SCRATCH_DIR: tests the checks themselves. Builds a small tree that breaks no rule, then breaks one rule at a
# time; a check that stays silent then is a check that checks nothing.
set -eu
checks=$(cd "$(dirname "$0")" && pwd)
rm -rf "$1"
mkdir -p "$1"
cd "$1"
export GIT_DIR=/nonexistent  # the tree lies inside the project's own repository; git must not answer for it

fresh() {
  rm -rf tree
  for floor in core core/kernels autograd layers optim data io app examples tests docs; do mkdir -p "tree/$floor"; done
  mkdir -p tree/include/gradus
  for floor in core autograd layers optim data io; do ln -s ../../$floor tree/include/gradus/$floor; done
  header include/gradus/gradus.h
  header core/tensor.h '#include <gradus/core/kernels/loop.h>'
  header core/random.h
  header core/wraps_tensor.h '#include <gradus/core/tensor.h>'
  header core/kernels/loop.h '#include <gradus/core/random.h>'
  header autograd/variable.h '#include <gradus/core/tensor.h>'
  header layers/linear.h '#include <gradus/autograd/variable.h>'
  header app/command.h '#include <gradus/layers/linear.h>'
  cp "$checks/../../.clang-format" tree/
  mkdir -p tree/gradcheck tree/distributed tree/autograd/ops tree/core/kernels/conv2d
  header core/kernels/conv2d/algorithm.h
  cp "$checks/../../docs/Doxyfile" tree/docs/
  cat >tree/examples/shown.cpp <<'END'
// An example.
#include <cmath>
int main() { return static_cast<int>(std::sin(0.0)); }
END
}

header() { printf '// A header.\n#pragma once\n%s\n' "${2:-}" >"tree/$1"; }

# The page is opened and closed with the fence that the check looks for.
page() { printf '```cpp\n%s\n```\n' "$1" >tree/docs/page.md; }

run_check() {
  case $1 in
    snippets) sh "$checks/$1.sh" tree scratch c++ -std=c++20 -I "$PWD/include" ;;
    doxygen) sh "$checks/$1.sh" tree "$PWD/scratch" ;;
    from_pytorch) sh "$checks/$1.sh" tree scratch c++ -std=c++20 -I "$PWD/include" ROWS ;;
    *) sh "$checks/$1.sh" tree ;;
  esac
}

status=0
accepts() {  # accepts CHECK DESCRIPTION
  run_check "$1" >out 2>&1 || { echo "$1 rejects $2:"; cat out; status=1; }
}
catches() {  # catches CHECK DESCRIPTION EXPECTED_WORDS
  if run_check "$1" >out 2>&1; then
    echo "$1 misses $2"
    status=1
  elif ! grep -qF "$3" out; then
    echo "$1 rejects $2 without saying '$3':"
    cat out
    status=1
  fi
  fresh
}

mkdir -p include/gradus && echo '#pragma once
namespace gradus { inline int one() { return 1; } }' >include/gradus/gradus.h
fresh
for check in layering spdlog_stays_in_cpp no_shared_state files_open_with_a_comment top_level includes; do accepts "$check" "a clean tree"; done

header core/bad.h '#include <gradus/autograd/variable.h>'
catches layering "core that includes autograd" "core/bad.h:3"
header optim/bad.h '#include <gradus/layers/linear.h>'
catches layering "optim that includes layers" "optim/bad.h:3"
header io/bad.h '#  include  <gradus/data/digits.h>'
catches layering "an include with spaces" "io/bad.h:3"
header core/kernels/bad.h '#include <gradus/core/tensor.h>'
catches layering "a kernel that includes Tensor" "core/kernels/bad.h:3"
header core/kernels/bad.h '#include <gradus/core/wraps_tensor.h>'
catches layering "a kernel that reaches Tensor through another header" "core/kernels/bad.h:3"
header layers/bad.h '#include <gradus/gradcheck/gradcheck.h>'
catches layering "a layer that includes the checker" "layers/bad.h:3"
header app/bad.h '#include <gradus/core/kernels/loop.h>'
catches layering "a program that includes a kernel" "app/bad.h:3"
header layers/bad.h '#include "../optim/sgd.h"'
catches layering "a quoted include" "layers/bad.h:3"
header data/bad.h '#include <gradus/gradus.h>'
catches layering "a floor that includes everything" "data/bad.h:3"

header app/bad.h '#include <gradus/core/absent.h>'
catches includes "an include of a file that is not there" "there is no include/gradus/core/absent.h"

header app/bad.h '#include <spdlog/spdlog.h>'
catches spdlog_stays_in_cpp "spdlog in a header" "app/bad.h:3"

echo '// A file.
double f(double x) { return std::lgamma(x); }' >tree/core/bad.cpp
catches no_shared_state "the sign of lgamma" "core/bad.cpp:2"

echo 'int x;' >tree/core/bad.cpp
catches files_open_with_a_comment "a file without its opening comment" "core/bad.cpp:1"
: >tree/core/bad.cpp
catches files_open_with_a_comment "an empty file" "core/bad.cpp"

mkdir tree/utils
catches top_level "a new room" "utils/"

page 'int x = one();'
accepts snippets "statements"
page '#include <string>
struct Named { static constexpr int n = 1; template <class T> void f(); };'
accepts snippets "declarations"
page 'int main() { return 0; }'
accepts snippets "a program"
page '// file: examples/shown.cpp
int main() { return static_cast<int>(std::sin(0.0)); }'
accepts snippets "a part of an example"
page 'int x = two();'
catches snippets "a snippet that does not compile" "docs/page.md:2"
page '// file: examples/shown.cpp
int main() { return 1; }'
catches snippets "a part of an example that is not in it" "docs/page.md:2"
page '// file: examples/absent.cpp
int main() { return 1; }'
catches snippets "an example that is not there" "docs/page.md:2"
printf '```cpp\nint x;\n' >tree/docs/page.md
catches snippets "a fence that is never closed" "docs/page.md:2"

# Rows, after the block of names that they share; the first stands in line 6 of the page.
rows() { printf '```cpp\nint n = one();\n```\n| PyTorch | Gradus | remark |\n|---|---|---|\n%s\n' "$1" >tree/docs/from-pytorch.md; }
rows '| `n` | `n = 2` | a statement |
| `n + 1` | `n = 2; n + 1` | `== 3`, behind a statement |
| `f(n)` | `[](int i) { ++i; return i; }(n)` | `== 2`, with semicolons in brackets |
| `1 / 3` | `1.0 / 3` | `≈ 0.33333` |
| `n or n` | `n \|\| n` | `== true` |
| `raise` | `throw std::string()` | `throws std::string` |'
accepts from_pytorch "rows that are true"
rows '| `n` | `two()` | |'
catches from_pytorch "a row that does not compile" "docs/from-pytorch.md:6"
rows '| `n` | `n` | `== 1` |
| `n` | `throw std::runtime_error("no")` | |'
catches from_pytorch "a row that throws" 'docs/from-pytorch.md:7: `throw std::runtime_error("no")`: throws: no'
rows '| `n` | `n + 1` | `== 3` |'
catches from_pytorch "a claim that does not hold" 'docs/from-pytorch.md:6: `n + 1`: it does not hold: == 3'
rows '| `n` | `n / 3.0` | `≈ 0.34` |'
catches from_pytorch "a number that is not so" "it does not hold: ≈ 0.34"
rows '| `n` | `n` | `throws std::string` |'
catches from_pytorch "a row that throws nothing" "docs/from-pytorch.md:6: \`n\`: throws nothing"
rows '| `n` | n | |'
catches from_pytorch "a row without code" "docs/from-pytorch.md:6: the second column is one piece of code"
rows '| `n` | `n` | `n` is a number |'
catches from_pytorch "code in a remark that claims nothing" "docs/from-pytorch.md:6: no claim: n"
rows ''
catches from_pytorch "a page without rows" "no program made of it"

# The page as the build leaves it: it carries the checksum of its sources.
built_page() {
  mkdir -p tree/report/page/src/views tree/report/page/dist
  cd tree/report/page
  for file in index.html package-lock.json package.json tsconfig.json vite.config.mjs src/main.ts src/views/run.ts; do echo "$file" >$file; done
  sum=$(sha256sum index.html package-lock.json package.json src/main.ts src/views/run.ts tsconfig.json vite.config.mjs | sha256sum | cut -d ' ' -f 1)
  printf '<meta name="gradus-page-sources" content="%s" />\n@report@\n@numbers@\n' "$sum" >dist/report.html
  cd ../../..
}
built_page
accepts page "a page that was built from its sources"
echo changed >tree/report/page/src/views/run.ts
catches page "a source newer than the page" "dist/report.html is stale"
built_page
echo new >tree/report/page/src/more.ts
catches page "a new source" "dist/report.html is stale"
built_page
echo @report@ >>tree/report/page/dist/report.html
catches page "a second place for the report" "must stand there once"

header app/interrupt.cpp
printf 'race:libopenblas\nsignal:app/interrupt.cpp\n' >tree/tests/thread_sanitizer.supp
accepts suppressions "a library and a file that is there"
printf 'signal:on_signal\n' >>tree/tests/thread_sanitizer.supp
catches suppressions "the name of a function" "thread_sanitizer.supp:3: signal:on_signal"

if command -v doxygen >/dev/null; then
  header core/named.h '/// A class.
class Named { public: Named(int n); int size() const; bool operator==(const Named&) const; };'
  accepts doxygen "a class whose members speak by their names"
  header core/bad.h 'class Bad { public: int size() const; };'
  catches doxygen "a class without a comment" "core/bad.h:3"
  header core/bad.h '/// A class.
class Bad { public: void put(int n); };'
  catches doxygen "a function with an argument and without a comment" "core/bad.h:4"
  header core/bad.h '/// A class of <int.
/// \nosuchcommand
class Bad {};'
  catches doxygen "a comment that Doxygen cannot read" "core/bad.h:4"
fi

printf '// A file.\nint  x ;\n' >tree/core/bad.cpp
if command -v clang-format >/dev/null && clang-format --version | grep -q 'version 14\.'; then
  catches format "bad formatting" "core/bad.cpp:2"
fi
exit $status
