# awk -v out=FILE -f program.awk docs/book/NN-name.md: the program that a chapter is. What its fences mean stands in
# docs/book/README.md. The compiler's messages name the line of the page; each fence of statements first prints its own
# line, by which tests/book/compare.awk finds what it printed.
function place(line) { return "#line " line " \"" page "\"\n" }

FNR == 1 { page = FILENAME }
!kind && /^```cpp[ \t]*$/ { kind = "statements"; first = FNR + 1; next }
!kind && /^```cpp declarations[ \t]*$/ { kind = "declarations"; first = FNR + 1; next }
!kind && /^```/ { kind = "other"; next }
kind && /^```[ \t]*$/ { kind = ""; next }
!kind || kind == "other" { next }
FNR == first && /^\/\/ file: / { kind = "other"; next }
FNR == first && kind == "declarations" { declarations = declarations place(FNR) }
FNR == first && kind == "statements" {
  statements = statements "std::cout << \"---- line " FNR "\\n\";\n" place(FNR)
}
kind == "declarations" { declarations = declarations $0 "\n" }
kind == "statements" { statements = statements $0 "\n" }

END {
  if (kind) {
    print page ":" first ": this fence is never closed" > "/dev/stderr"
    exit 1
  }
  print "// Made from " page " by program.awk." > out
  print "#include <gradus/gradus.h>\n" > out
  print "#include <algorithm>\n#include <array>\n#include <cmath>\n#include <cstdint>\n#include <iomanip>\n#include <iostream>\n#include <string>\n#include <vector>\n" > out
  print "using namespace gradus;\n" > out
  print declarations > out
  print "int main() {\n" statements "}" > out
}
