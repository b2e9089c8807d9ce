# The long tapes on a stack of 256 KB: anything that recurses along the chain dies here.
set -eu
ulimit -s 256
"$GRADUS_BUILD/tests/test_autograd" --no-intro --source-file='*million_test.cpp' \
  --test-case-exclude='*training*' > small_stack.log 2>&1 || { cat small_stack.log; exit 1; }
grep -q 'test cases: *5 | *5 passed' small_stack.log || { cat small_stack.log; exit 1; }
