#!/bin/sh
# The promise of the first page: with its defaults the program learns to read the digits.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 train --quiet --json --out run
accuracy=$(value test_accuracy)
# At seed 1 it is 0.983; six seeds gave 0.983 to 0.989. The issue asks for 0.97.
awk "BEGIN { exit !($accuracy >= 0.97) }" || fail "test accuracy $accuracy, at least 0.97 expected"
finish
