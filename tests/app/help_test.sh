#!/bin/sh
# --help for whoever asks, --version at once.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 --help
says out train eval predict data summary graph lr-find compare report serve export gradcheck inspect bench "Exit codes:" "GRADUS_NUM_THREADS" "GRADUS_LOG_LEVEL"
for code in 0 1 2 65 66 70 74 130; do grep -q "^ *$code  " out || fail "the help does not tell exit code $code"; done
for command in train eval predict data summary lr-find compare gradcheck inspect bench; do
  run 0 $command --help
  says out "gradus $command" "--json" "Exit codes:"
  [ ! -s err ] || fail "$command --help writes on stderr: $(cat err)"
  awk 'length > 100 { exit 1 }' out || fail "$command --help is wider than 100 columns"
done
run 0 export --help
says out "gradus export" "DIR" "FILE"
run 0 graph --help
says out "gradus graph" "MODEL" "FILE" "Exit codes:"
run 0 train --help
says out "(default: digits)" "(default: adam)" "(default: 1)" "(default: runs/DATA-MODEL)"

run 0 --version
version=$(sed -n 's/.* version = "\([0-9.]*\)";/\1/p' "$GRADUS_SOURCE/core/version.h")
[ "$(cat out)" = "gradus $version" ] || fail "--version says '$(cat out)', core/version.h $version"

# Processor time of 20 calls, user and system, is no more than that of 20 calls of cmake, which loads about as many
# libraries (a sanitizer alone takes longer): how fast a program starts differs by machine. Other programs on the same core
# disturb either; the best of five tries counts.
twenty_calls() {
  i=0
  while [ $i -lt 20 ]; do "$1" --version >/dev/null; i=$((i + 1)); done
  # `times` prints the shell's own times, then those of its children: "0m0.123s 0m0.045s".
  times >times.txt  # not through a pipe: that would be a shell without children
  sed -n '2s/[ms]/ /gp' times.txt | awk '{ print 60 * ($1 + $3) + $2 + $4 }'
}
if ! grep -q '^GRADUS_SANITIZE:[A-Z]*=.' "$GRADUS_BUILD/CMakeCache.txt"; then
  cmake=$(sed -n 's/^CMAKE_COMMAND:INTERNAL=//p' "$GRADUS_BUILD/CMakeCache.txt")
  best=9
  for try in 1 2 3 4 5; do
    spent=$(twenty_calls "$gradus")  # a shell of its own: its children are these twenty
    ratio=$(awk "BEGIN { print $spent / $(twenty_calls "$cmake") }")
    best=$(awk "BEGIN { print $ratio < $best ? $ratio : $best }")
    awk "BEGIN { exit !($best < 1) }" && break
  done
  awk "BEGIN { exit !($best < 1) }" || fail "--version took $best times the processor time of cmake's, at best"
fi
finish
