#!/bin/sh
# figures.sh SOURCE_DIR PROGRAM SCRATCH_DIR: PROGRAM draws every figure of docs/book/images, byte for byte, and no other.
set -eu
rm -rf "$3"
mkdir -p "$3"
"$2" "$3"
diff -r "$1/docs/book/images" "$3" || {
  echo "docs/book/images is not what docs/book/figures draws; build/release/book/figures docs/book/images draws it anew"
  exit 1
}
