#!/bin/sh
# reuse.sh BUILD COMPILER ARGUMENT...: stands before the compiler where Gradus is built inside another project. BUILD, the one
# whose tests run, has compiled the same files: an object is copied from there when the options that decide what comes out are
# the same words in both, and compiled when they are not, which is right too, but takes minutes.
set -eu
build=$1
shift

object=
previous=
for word; do
  [ "$previous" != -o ] || object=$word
  previous=$word
done
name=CMakeFiles/${object##*CMakeFiles/}

that_decide() { grep -E '^-(D|U|O|f|m|std)' | sort; }
mine=$(printf '%s\n' "$@" | that_decide)
theirs=$(grep -F -- " -o $name -c " "$build/compile_commands.json" | tr -d '\\"' | tr ' ' '\n' | that_decide) || theirs=none
if [ "$mine" = "$theirs" ] && [ -f "$build/$name" ]; then
  cp "$build/$name" "$object"
  exit 0
fi
echo "reuse.sh: compiles $name"
exec "$@"
