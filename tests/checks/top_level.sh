#!/bin/sh
# top_level.sh SOURCE_DIR: the top-level folders are the reader's map of the project; a new one needs a strong reason,
# and a line here. Folders that git does not track (build, runs, an editor's) are nobody's business.
set -eu
cd "$1"
allowed=" .ci .github app autograd bench cmake core data docs examples exercises gradcheck include interchange io layers optim report tests "

folders=$(git ls-files 2>/dev/null | sed -n 's,/.*,,p' | sort -u) || folders=
[ -n "$folders" ] || folders=$(find . -mindepth 1 -maxdepth 1 -type d ! -name .git ! -name build ! -name runs | sed 's,^\./,,')
status=0
for folder in $folders; do
  case "$allowed" in
    *" $folder "*) ;;
    *) echo "$folder/: no such room at the top level; allowed:$allowed"; status=1 ;;
  esac
done
exit $status
