#!/bin/sh
# What ./run exercise says before anything is built, and what a built exercise says; and that all that belongs to an
# exercise is there.
set -eu
run=$GRADUS_SOURCE/run
folder=$GRADUS_SOURCE/exercises
table=$folder/judge/table.txt

fail() {
  echo "$*"
  exit 1
}

# said STATUS WORDS ARGUMENT...: ./run exercise ARGUMENT... exits so and prints one line with the words.
said() {
  wanted=$1 words=$2
  shift 2
  status=0
  line=$("$run" exercise "$@" 2>&1) || status=$?
  [ "$status" = "$wanted" ] || fail "./run exercise $*: exits with $status instead of $wanted: $line"
  [ "$(printf '%s\n' "$line" | wc -l)" = 1 ] || fail "./run exercise $*: more than a line: $line"
  case $line in *"$words"*) ;; *) fail "./run exercise $*: '$words' is not in: $line" ;; esac
}

[ "$("$run" exercise | wc -l)" = "$(wc -l <"$table")" ] || fail "./run exercise does not list one line for each"
said 2 "did you mean corr2d?" corr2
said 2 "did you mean max-pool?" maxpool
said 2 "did you mean find-the-bug?" find-a-bug
said 2 "hints 1, 2 and 3" corr2d --hint 4
said 2 "needs a number" corr2d --seed x
said 2 "needs a number" corr2d --hint
said 2 "unknown option" corr2d --answer
said 0 "" exercises/linear_backward.cpp --hint 1

while read -r name chapter about; do
  [ -n "$about" ] && [ "$chapter" -ge 1 ] && [ "$chapter" -le 12 ] || fail "$table: $name has no chapter from 1 to 12"
  [ -f "$folder/$name.cpp" ] || fail "there is no exercises/$name.cpp"
  for hint in 1 2 3; do said 0 "" "$name" --hint $hint; done
  [ "$(wc -l <"$folder/hints/$name.txt")" = 3 ] || fail "exercises/hints/$name.txt has not three lines"
  grep -qE "^\| [0-9]+ \| \`$name\` \|.*\| $chapter \|$" "$folder/README.md" ||
    fail "exercises/README.md does not list $name with chapter $chapter"
done <"$table"
for file in "$folder"/*.cpp; do
  name=${file##*/}
  grep -q "^${name%.cpp} " "$table" || fail "$name is not in the table"
done

# corr2d as given, built by the tests.
status=0
said=$("$GRADUS_BUILD/exercises/corr2d") || status=$?
[ "$status" = 1 ] || fail "corr2d as given exits with $status"
case $said in *"nothing is written yet"*) ;; *) fail "corr2d as given says: $said" ;; esac
