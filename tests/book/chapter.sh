#!/bin/sh
# chapter.sh SOURCE_DIR PAGE PROGRAM FOLDER_OF_GRADUS SCRATCH_DIR: a chapter of the book is true. PROGRAM, made of its
# ```cpp fences, prints what the ```text fences behind them say; so do the commands of its ```sh fences, but `./run`,
# which is for the reader.
set -eu
source_dir=$(cd "$1" && pwd)
page=$2
program=$3
folder=$4
rm -rf "$5"
mkdir -p "$5"
scratch=$(cd "$5" && pwd)
cd "$scratch"
status=0
"$program" >printed || status=$?
[ "$status" = 0 ] || { tail -n 3 printed; echo "$page: its program ends with $status"; exit 1; }

awk '/^```sh[ \t]*$/ { inside = 1; first = FNR + 1; next }
  inside && /^```/ { inside = 0 }
  inside && FNR == first { print "echo \"---- line " FNR "\"" }
  inside && !/^\.\/run /' "$source_dir/$page" >commands.sh
PATH=$folder:$PATH sh -eu commands.sh >>printed 2>&1 || {
  tail -n 3 printed
  echo "$page: a command of its sh fences ends with an error"
  exit 1
}
cd "$source_dir"
awk -f tests/book/compare.awk "$page" "$scratch/printed"
