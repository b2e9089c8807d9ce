#!/bin/sh
# outputs.sh SOURCE_DIR EXAMPLES_DIR: what the documentation says an example prints, it prints. After a line
# `<!-- output of examples/NAME -->` the next ```text block is the output of NAME. Numbers may differ in their digits from
# machine to machine; words, signs and the shape of the lines may not.
set -eu
cd "$1"
examples=$2
failed=0
for page in README.md docs/*.md; do
  for name in $(sed -n 's/^<!-- output of examples\/\([a-z_]*\) -->$/\1/p' "$page"); do
    awk -v mark="<!-- output of examples/$name -->" '
      $0 == mark { wanted = 1; next }
      wanted && /^```text$/ { inside = 1; next }
      inside && /^```$/ { exit }
      inside' "$page" >"$examples/$name.documented"
    "$examples/$name" >"$examples/$name.printed"
    # A digit with what may belong to it: 1.2e-11 and 3.45 are both one number.
    for side in documented printed; do
      sed -e 's/[0-9][0-9.]*\(e[-+]*[0-9]*\)\{0,1\}/#/g' -e '/^$/d' "$examples/$name.$side" >"$examples/$name.$side.words"
    done
    [ -s "$examples/$name.documented.words" ] || { echo "$page: no \`\`\`text block after the mark of $name"; failed=1; }
    if ! diff "$examples/$name.documented.words" "$examples/$name.printed.words"; then
      echo "$page: the output of examples/$name is not what the page says"
      failed=1
    fi
  done
done
exit $failed
