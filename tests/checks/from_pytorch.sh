#!/bin/sh
# from_pytorch.sh SOURCE_DIR SCRATCH_DIR COMPILER WORD...: each row of each table of docs/from-pytorch.md is true. The
# second column, one piece of code, becomes a function of its own in one program, a member of a struct whose members are
# the first ```cpp block of the page. The program is compiled with the words given (ROWS among them stands for its
# source) and run. A remark that opens with code is a claim about the row:
#   `throws E`        the row throws that exception, which it must not do otherwise;
#   `≈ NUMBER`        the row's last expression is that number, to four digits;
#   `== 6`, `.f() == 6`  what stands behind the last expression, and with it must hold; of a tensor, all elements.
# What fails is named by its line: by the compiler, or by the program.
set -eu
source_dir=$1
scratch=$2
shift 2
page=docs/from-pytorch.md
rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)

# The program: prelude, one member function for each row, and a list of them.
cd "$source_dir"
awk -v page="$page" '
  function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
  function trimmed(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
  function complain(what) { printf "%s:%d: %s\n", page, FNR, what > "/dev/stderr"; failed = 1 }

  # Where the last expression of a row begins: behind the last semicolon that stands in no bracket.
  function last_expression(code,    i, c, depth, at) {
    at = 1
    for (i = 1; i <= length(code); i++) {
      c = substr(code, i, 1)
      if (index("({[", c)) depth++
      if (index(")}]", c)) depth--
      if (c == ";" && depth == 0) at = i + 1
    }
    return at
  }

  function add_row(code, claim,    at, before, expression) {
    at = last_expression(code)
    before = substr(code, 1, at - 1)
    expression = trimmed(substr(code, at))
    if (claim != "" && claim !~ /^throws / && expression == "") complain("a claim, and no expression that it is about")
    rows[++count] = FNR
    what[count] = code
    throws[count] = ""
    if (claim ~ /^throws /) { throws[count] = substr(claim, 8); claim = "" }
    else if (claim ~ /^≈ /) expression = "near((" expression "), " substr(claim, length("≈ ") + 1) ")"
    else if (claim != "") expression = "holds((" expression ")" (claim ~ /^\./ ? "" : " ") claim ")"
    claims[count] = claim
    printf "  void row_%d() {\n#line %d \"%s\"\n    %s\n", FNR, FNR, page, before
    if (expression != "") printf "#line %d \"%s\"\n    %s;\n", FNR, page, expression
    print "  }"
  }

  BEGIN {
    print "// Made from " page " by tests/checks/from_pytorch.sh."
    print "#include <gradus/gradus.h>\n"
    print "#include <cmath>\n#include <concepts>\n#include <cstdio>\n#include <memory>\n#include <stdexcept>\n#include <string>\n#include <utility>\n#include <vector>\n"
    print "using namespace gradus;\n"
    print "struct ClaimError {};\n"
    print "template <class T> void holds(const T& claim) {"
    print "  if constexpr (std::convertible_to<const T&, bool>) {"
    print "    if (!claim) throw ClaimError();"
    print "  } else {"
    print "    for (const bool each : claim.template to_vector<bool>()) holds(each);"
    print "  }\n}\n"
    print "void near(double number, double claimed);"
    print "void near(double number, double claimed) {"
    print "  if (!(std::fabs(number - claimed) <= 1e-4 * std::fmax(1, std::fabs(claimed)))) throw ClaimError();\n}\n"
    print "struct Rows {"
  }
  /^```/ {
    if (!in_block && !have_prelude && $0 == "```cpp") { in_prelude = have_prelude = 1; printf "#line %d \"%s\"\n", FNR + 1, page }
    else in_prelude = 0
    in_block = !in_block
    next
  }
  in_prelude { print; next }
  in_block || !/^\|/ { previous = 0; next }
  !previous { header = FNR; previous = 1 }
  FNR < header + 2 { next }  # the names of the columns, and the line under them
  {
    if (!have_prelude) { complain("a row before the ```cpp block that all rows share"); next }
    line = $0
    gsub(/\\\|/, "\001", line)
    columns = split(line, cell, "|")
    if (columns != 5) { complain("a row has three columns"); next }
    for (i = 2; i <= 4; i++) { gsub("\001", "|", cell[i]); cell[i] = trimmed(cell[i]) }
    if (cell[3] !~ /^`[^`]+`$/) { complain("the second column is one piece of code"); next }
    claim = ""
    if (match(cell[4], /^`[^`]+`/)) claim = substr(cell[4], 2, RLENGTH - 2)
    if (claim != "" && claim !~ /^(throws |≈ |[=!<>]=? |\.)/) { complain("no claim: " claim); next }
    add_row(substr(cell[3], 2, length(cell[3]) - 2), claim)
  }
  END {
    print "};\n"
    print "static int failures = 0;\n"
    print "static void failed(int line, const char* row, const std::string& how) {"
    printf "  std::printf(\"%s:%%d: `%%s`: %%s\\n\", line, row, how.c_str());\n  ++failures;\n}\n\n", page
    print "int main() {"
    for (i = 1; i <= count; i++) {
      print "  try {"
      printf "    Rows().row_%d();\n", rows[i]
      if (throws[i] != "") printf "    failed(%d, %s, \"throws nothing\");\n", rows[i], quoted(what[i])
      if (throws[i] != "") printf "  } catch (const %s&) {\n", throws[i]
      print "  } catch (const ClaimError&) {"
      printf "    failed(%d, %s, %s);\n", rows[i], quoted(what[i]), quoted("it does not hold: " claims[i])
      print "  } catch (const std::exception& error) {"
      printf "    failed(%d, %s, std::string(\"throws: \") + error.what());\n", rows[i], quoted(what[i])
      print "  } catch (...) {"
      printf "    failed(%d, %s, \"throws something\");\n", rows[i], quoted(what[i])
      print "  }"
    }
    printf "  std::printf(\"%d rows, %%d of them wrong\\n\", failures);\n", count
    print "  return failures == 0 ? 0 : 1;\n}"
    exit failed || count == 0
  }' "$page" >"$scratch/rows.cpp" || { echo "$page: no program made of it"; exit 1; }

for word in "$@"; do
  shift
  [ "$word" != ROWS ] || word=$scratch/rows.cpp
  set -- "$@" "$word"
done
cd "$scratch"  # rows that write files write them here
"$@" -o rows
./rows
