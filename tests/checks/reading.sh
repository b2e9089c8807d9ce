#!/bin/sh
# reading.sh SOURCE_DIR: docs/book/reading.md is true. Each row `| [FILE](../../FILE) | LINES | MINUTES | ...` names a file
# that is there, with so many lines to a tenth; all rows together are less than 3,500 lines, and what the page says of
# their number, lines and time in its first paragraph is their sum.
set -eu
cd "$1"
page=docs/book/reading.md
sed -n 's,^| \[\([^]]*\)\](../../\([^)]*\)) | \([0-9]*\) | \([0-9]*\) | .*$,\1 \2 \3 \4,p' "$page" | {
  status=0
  files=0
  lines=0
  minutes=0
  while read -r name path said time; do
    [ "$name" = "$path" ] || { echo "$page: $name leads to $path"; status=1; }
    [ -f "$path" ] || { echo "$page: there is no $path"; status=1; continue; }
    real=$(($(wc -l <"$path")))
    off=$((said > real ? said - real : real - said))
    [ $((off * 10)) -le "$real" ] || { echo "$page: $path has $real lines, not $said"; status=1; }
    files=$((files + 1))
    lines=$((lines + said))
    minutes=$((minutes + time))
  done
  [ "$files" -gt 0 ] || { echo "$page: no row of a file"; status=1; }
  [ "$lines" -lt 3500 ] || { echo "$page: $lines lines are no weekend; 3,499 at most"; status=1; }
  thousands=$((lines / 1000))
  rest=$((lines % 1000))
  [ "$thousands" = 0 ] || rest=$(printf '%d,%03d' "$thousands" "$rest")
  sum="$files files, $rest lines, $((minutes / 60)) hours and $((minutes % 60)) minutes"
  tr '\n' ' ' <"$page" | grep -qF "$sum" || { echo "$page: its rows are $sum, which it does not say"; status=1; }
  exit $status
}
