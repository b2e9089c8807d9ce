# What the tests of the program share; sourced by tests/app/*.sh, which run in an empty folder of their own.
# Paths: $gradus is the program, $GRADUS_SOURCE the source tree.
set -eu
gradus=$GRADUS_BUILD/gradus
rm -rf ./*
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# run CODE ARGUMENT...: runs the program, its output in ./out and ./err, and checks its exit code.
run() {
  wanted=$1
  shift
  code=0
  "$gradus" "$@" >out 2>err || code=$?
  if [ "$code" != "$wanted" ]; then
    fail "gradus $*: exit code $code, expected $wanted"
    sed 's/^/  /' out err >&2
  fi
}

# says FILE WORDS...: FILE holds each of the words.
says() {
  file=$1
  shift
  for words in "$@"; do
    grep -qF -- "$words" "$file" || fail "'$words' is not in $file: $(cat "$file")"
  done
}

# refuses CODE "WORDS" ARGUMENT...: the program fails with that code and one line that holds the words, and prints
# nothing on stdout.
refuses() {
  code_wanted=$1
  words=$2
  shift 2
  run "$code_wanted" "$@"
  says err "$words"
  [ "$(wc -l <err)" = 1 ] || fail "gradus $*: more than one line of error: $(cat err)"
  grep -q '^gradus: ' err || fail "gradus $*: the error does not begin with 'gradus: '"
  [ ! -s out ] || fail "gradus $*: prints a result although it fails: $(cat out)"
}

# value KEY: a number, word or null from the last line of ./out, which is JSON.
value() { tail -n 1 out | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

finish() {
  [ "$failures" = 0 ] || exit 1
  exit 0
}
