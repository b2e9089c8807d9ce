#!/bin/sh
# reuse.sh BUILD COMPILER ARGUMENT...: stands before the compiler where Gradus is built inside another project. BUILD, the one
# whose tests run, has compiled the same files: an object is copied from there when all words of the command are the same in
# both (warnings aside, and but for the build folders), and compiled when they are not, which is right too, but takes minutes.
set -eu
build=$1
shift
here=$PWD/gradus  # where the other project builds Gradus: cmake calls compilers in its own build folder

# One word a line: paths in a build folder as from its top, without warnings, outputs and lists of dependencies.
plain() {
  skip=
  while IFS= read -r word; do
    case $skip$word in
      skip*) skip= ;;
      -o | -MT | -MF) skip=skip ;;
      -W* | -MD | '') ;;
      *) printf '%s\n' "$word" ;;
    esac
  done | sed "s|$1|BUILD|g" | sort
}

object=
previous=
for word; do
  [ "$previous" != -o ] || object=$word
  previous=$word
done
name=CMakeFiles/${object##*CMakeFiles/}

mine=$(printf '%s\n' "$@" | plain "$here")
theirs=$(grep -F -- " -o $name -c " "$build/compile_commands.json" | sed 's/^ *"command": "//; s/",$//' | tr -d '\\"' |
  tr ' ' '\n' | plain "$build")
# A file that joins several names them by their places.
source=
for word; do source=$word; done
same_source=yes
case $source in
  "$here"/*.cxx) cmp -s "$source" "$build/${source#"$here"/}" || same_source=no ;;
esac
if [ "$mine" = "$theirs" ] && [ $same_source = yes ] && [ -f "$build/$name" ]; then
  cp "$build/$name" "$object"
  exit 0
fi
echo "reuse.sh: compiles $name"
exec "$@"
