#!/bin/sh
# includes.sh SOURCE_DIR: every <gradus/...> leads to a file of the repository before anything is configured: include/gradus
# holds the whole tree by links that are committed.
set -eu
cd "$1"
find . \( -name build -o -name '.?*' \) -prune -o \( -name '*.h' -o -name '*.cpp' \) -print | sort | xargs grep -n '^[ \t]*#[ \t]*include[ \t]*<gradus/' | {
  status=0
  while IFS= read -r line; do
    path=${line#*<}
    path=${path%%>*}
    [ -f "include/$path" ] || { echo "$line: there is no include/$path"; status=1; }
  done
  exit $status
}
