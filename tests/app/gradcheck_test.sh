#!/bin/sh
# gradus gradcheck: names, orders, totals.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 gradcheck conv2d Conv2d matmul
[ "$(wc -l <out)" = 5 ] || fail "a head, three rows and a total expected: $(cat out)"
says out "op    conv2d" "layer Conv2d" "3 of 3 passed"

run 0 gradcheck --list
names=$(wc -l <out)
[ "$names" -gt 50 ] || fail "only $names names"
run 0 gradcheck --order 2 --json
[ "$(wc -l <out)" = 1 ] || fail "one line expected: $(head -c 300 out)"
says out "{\"passed\":true,\"order\":2,\"checked\":$names,\"failed\":0,"
[ "$(grep -o '"order":2,"elements"' out | wc -l)" = "$names" ] || fail "not every name was checked in second order"
run 0 gradcheck --all
says out "$names of $names passed"

refuses 2 "nothing is named conv2; nearest are conv2d" gradcheck conv2
refuses 2 "nothing is named linaer; nearest are linear, Linear" gradcheck linaer
refuses 2 "--order: 3 is not" gradcheck --order 3
refuses 2 "excludes" gradcheck --all add
finish
