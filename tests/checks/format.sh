#!/bin/sh
# format.sh SOURCE_DIR: all C++ is as .clang-format has it. Versions of clang-format disagree in details, so only the one
# the project uses decides; with another the test is skipped (exit 77), with none it fails.
# To put a tree in order: clang-format -i on the files it names.
set -eu
cd "$1"
formatter=$(command -v clang-format-14 || command -v clang-format) || {
  echo "clang-format is not installed; on Debian: apt-get install clang-format" >&2
  exit 1
}
case $("$formatter" --version) in
  *"version 14."*) ;;
  *) echo "skipped: the project is formatted with clang-format 14, here is $("$formatter" --version)"; exit 77 ;;
esac
find . \( -name build -o -name '.?*' \) -prune -o \( -name '*.h' -o -name '*.cpp' \) \
  -exec "$formatter" --dry-run -Werror {} + 2>&1 | awk '
  / error: / { sub(/ error: .*/, " is not as clang-format has it"); print; failed = 1 }
  END { exit failed }'
