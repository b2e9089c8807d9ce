#!/bin/sh
# selftest.sh SCRATCH_DIR: tests compare.awk and reading.sh themselves: what is true passes, and each kind of untruth is
# named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$1"
mkdir -p "$1/docs/book"
cd "$1"
status=0

# chapter OUTPUT_FENCE: a page with one fence of statements, in its second line, and what it is said to print.
chapter() { printf '```cpp\nint x;\n```\n\n%s\n' "$1" >page.md; }
prints() { printf -- '---- line 2\n%s' "$1" >printed; }
accepts() {
  awk -f "$here/compare.awk" page.md printed >out 2>&1 || { echo "compare.awk rejects $1:"; cat out; status=1; }
}
catches() {
  if awk -f "$here/compare.awk" page.md printed >out 2>&1; then
    echo "compare.awk misses $1"
    status=1
  elif ! grep -qF "$2" out; then
    echo "compare.awk rejects $1 without saying '$2':"
    cat out
    status=1
  fi
}

chapter '```text
a 1.25 b -3e-05
```'
prints 'a 1.25 b -3e-05
'
accepts "what is printed to the letter"
prints 'a 1.26 b -2e-05
'
accepts "a last digit that is another by one"
prints 'a 1.27 b -3e-05
'
catches "a last digit that is another by two" "page.md:6: the page says: a 1.25"
prints 'a 1.25 c -3e-05
'
catches "another word" "page.md:6"
prints 'a 1.25 b 3e-05
'
catches "another sign" "page.md:6"
prints 'a 1.25 b -3e-05
and more
'
catches "a line more" "prints more than the page says: and more"
prints ''
catches "a line less" "nothing more"
printf '' >printed
catches "a fence that never ran" "page.md:2: this fence never ran"
chapter '```text
7 of 50
```'
prints '8 of 50
'
catches "another whole number" "page.md:6"
chapter '```console
in 1.5 ms
```'
prints 'in 12 ms
'
accepts "a time that is another"
prints 'in 12 s
'
catches "another unit of a time" "page.md:6"
chapter 'no fence'
prints 'a word
'
catches "statements that print without saying so" "page.md:2"

row='| [a.h](../../a.h) | 10 | 70 | a header |'
reading() { printf '# Page\n\n%s\n\n%s\n' "$1" "$2" >docs/book/reading.md; }
true_page() { reading '1 files, 10 lines, 1 hours and 10 minutes' "$row"; }
reading_catches() {
  if sh "$here/../checks/reading.sh" . >out 2>&1; then
    echo "reading.sh misses $1"
    status=1
  elif ! grep -qF "$2" out; then
    echo "reading.sh rejects $1 without saying '$2':"
    cat out
    status=1
  fi
}
lines() { awk -v n="$1" 'BEGIN { while (n--) print "line" }' >a.h; }
true_page
lines 11
sh "$here/../checks/reading.sh" . >out 2>&1 || { echo "reading.sh rejects what is true:"; cat out; status=1; }
lines 12
reading_catches "a file that has grown" "a.h has 12 lines, not 10"
rm a.h
reading_catches "a file that is gone" "there is no a.h"
lines 10
reading '1 files, 11 lines, 1 hours and 10 minutes' "$row"
reading_catches "a wrong sum" "1 files, 10 lines"
lines 4000
reading '1 files, 4,000 lines, 1 hours and 10 minutes' '| [a.h](../../a.h) | 4000 | 70 | a header |'
reading_catches "too much for a weekend" "are no weekend"
reading 'nothing' ''
reading_catches "a page without files" "no row of a file"
exit $status
