#!/bin/sh
# suppressions.sh SOURCE_DIR: what a sanitizer is told to overlook stands in a library or in a source file that is there. By the
# name of a function one outlived its function, and nobody noticed: the report comes in few runs.
set -eu
cd "$1"
grep -HnE '^[a-z_]+:' tests/*.supp | sort | {
  failed=0
  while IFS=: read -r file line kind what; do
    case $what in
      lib*) continue ;;
    esac
    [ -f "$what" ] && continue
    echo "$file:$line: $kind:$what names neither a library nor a source file" >&2
    failed=1
  done
  exit $failed
}
