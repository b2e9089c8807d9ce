#!/bin/sh
# run_is_plain.sh SOURCE_DIR: ./run is what a newcomer meets first. It parses as plain sh, knows what it does not know,
# and names in its help every command it has.
set -eu
cd "$1"
sh -n run
status=0
said=$(./run no-such-command 2>&1) || status=$?
[ "$status" = 2 ] || { echo "an unknown command exits with $status instead of 2"; exit 1; }
[ "$(echo "$said" | wc -l)" = 1 ] || { echo "an unknown command is answered in more than a line: $said"; exit 1; }
for command in $(sed -n '/^case/,$ s/^  \([a-z][a-z-]*\)[ )].*/\1/p' run); do
  ./run help | grep -q "^  $command " || { echo "./run help does not name '$command'"; exit 1; }
done
