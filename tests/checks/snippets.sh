#!/bin/sh
# snippets.sh SOURCE_DIR SCRATCH_DIR COMPILER FLAG...: what the documentation shows is true. Each ```cpp block of
# README.md, CONTRIBUTING.md and docs/*.md is compiled, each standing alone:
#   - one that opens with `// file: examples/x.cpp` must be a part of that example, to the letter;
#   - one with `int main` is a program;
#   - any other is the body of a function or, failing that, declarations, after <gradus/gradus.h>, its own
#     #include lines and `using namespace gradus`.
# A compiler's message names the line of the page. Of a chapter of the book only the parts of files are looked at here:
# its other blocks are one program, which tests/book compiles and runs.
set -eu
source_dir=$1
scratch=$2
shift 2
rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)

# Block N becomes N.head (its includes), N.body (the rest, line for line) and N.kind (kind, page, line, example).
cd "$source_dir"
find README.md CONTRIBUTING.md docs -name '*.md' 2>/dev/null | sort | xargs -r awk -v out="$scratch" '
  function finish() {
    inside = 0
    close(base ".head"); close(base ".body")
    if (kind == "code" && page ~ /^docs\/book\/[0-9][0-9]-/) return
    print kind, page, line, example > (base ".kind")
    close(base ".kind")
  }
  FNR == 1 && inside { kind = "unclosed"; finish() }
  !inside && /^```cpp[ \t]*$/ {
    inside = 1; kind = "code"; page = FILENAME; line = FNR + 1; example = ""
    base = sprintf("%s/%03d", out, ++count)
    printf "" > (base ".head"); printf "" > (base ".body")
    next
  }
  !inside { next }
  /^```/ { finish(); next }
  FNR == line && /^\/\/ file: / { kind = "part"; example = $3; next }
  kind == "code" && /int main *\(/ { kind = "program" }
  kind != "part" && /^#include/ { print > (base ".head"); print "" > (base ".body"); next }
  { print > (base ".body") }
  END { if (inside) { kind = "unclosed"; finish() } }'

is_part_of() {  # is_part_of PART WHOLE
  awk 'FNR == 1 { file++ } file == 1 { part = part $0 "\n" } file == 2 { whole = whole $0 "\n" }
       END { exit index(whole, part) == 0 }' "$1" "$2"
}

# write_source FORM BASE PAGE LINE: a file that the compiler takes, with the page as its origin.
write_source() {
  cat "$2.head"
  case $1 in
    statements) printf 'using namespace gradus;\nvoid snippet();\nvoid snippet() {\n' ;;
    declarations) echo 'using namespace gradus;' ;;
  esac
  echo "#line $4 \"$3\""
  cat "$2.body"
  [ "$1" != statements ] || echo '}'
}

# Compiled once for all blocks but programs, which must include what they use.
echo '#include <gradus/gradus.h>' >"$scratch/all.h"
"$@" -x c++-header "$scratch/all.h" -o "$scratch/all.h.gch"

status=0
blocks=0
for kind_file in "$scratch"/*.kind; do
  [ -e "$kind_file" ] || continue
  blocks=$((blocks + 1))
  base=${kind_file%.kind}
  read -r kind page line example <"$kind_file"
  case $kind in
    unclosed)
      echo "$page:$line: this block is never closed"
      status=1
      continue
      ;;
    part)
      if ! [ -f "$example" ]; then
        echo "$page:$line: there is no $example"
        status=1
      elif ! is_part_of "$base.body" "$example"; then
        echo "$page:$line: this block is not a part of $example, to the letter"
        status=1
      fi
      continue
      ;;
    program) forms=program ;;
    code) forms="statements declarations" ;;
  esac
  compiled=no
  for form in $forms; do
    write_source "$form" "$base" "$page" "$line" >"$base.$form.cpp"
    if [ "$form" = program ]; then prelude=; else prelude="-include all.h"; fi
    # shellcheck disable=SC2086  # two words or none
    if "$@" -fsyntax-only -I "$scratch" $prelude "$base.$form.cpp" 2>"$base.$form.log"; then
      compiled=yes
      break
    fi
  done
  if [ "$compiled" = no ]; then
    cat "$base.${forms%% *}.log"
    status=1
  fi
done
echo "$blocks blocks"
exit $status
