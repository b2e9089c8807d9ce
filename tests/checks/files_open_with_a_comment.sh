#!/bin/sh
# files_open_with_a_comment.sh SOURCE_DIR: every .h and .cpp says on its first line what it is.
set -eu
cd "$1"
status=0
for file in $(find . \( -name build -o -name '.?*' \) -prune -o \( -name '*.h' -o -name '*.cpp' \) -print | sort); do
  first=
  read -r first <"$file" || true
  case $first in
    //* | /\**) ;;
    *) echo "$file:1: a file opens with a comment: what it is and why"; status=1 ;;
  esac
done
exit $status
