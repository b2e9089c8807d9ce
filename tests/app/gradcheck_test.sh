#!/bin/sh
# gradus gradcheck: names, orders, totals, models, the page; and what makes no sense.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 gradcheck conv2d Conv2d matmul
[ "$(wc -l <out)" = 5 ] || fail "a head, three rows and a total expected: $(cat out)"
says out "op    conv2d" "layer Conv2d" "3 of 3 passed"

run 0 gradcheck --list
names=$(wc -l <out)
[ "$names" -gt 50 ] || fail "only $names names"
run 0 gradcheck --list --json
says out "{\"count\":$names,\"list\":[{\"kind\":\"op\",\"name\":\"add\"}"
run 0 gradcheck --list exp Linear
[ "$(cat out)" = "op    exp
layer Linear" ] || fail "--list of two names: $(cat out)"

# Models: text, with the Taylor test.
run 0 gradcheck --model lenet
says out "lenet with its loss, 61706 parameters" "lenet: pass" "directions" "Taylor test: pass"

# Float32, op by op and as models.
run 0 gradcheck --float32 exp Linear
[ "$(wc -l <out)" = 4 ] || fail "a head, two rows and a total expected: $(cat out)"
says out "op    exp" "layer Linear" "2 of 2 passed"
run 0 gradcheck --float32 --model lenet
says out "lenet with its loss, 61706 parameters" "lenet: pass" "identities"
refuses 2 "--float32" gradcheck exp --float32 --order 2
refuses 2 "--float32" gradcheck --float32 --self-test
refuses 2 "nothing is named linaer; nearest are linear, Linear" gradcheck --float32 linaer

# The checker itself, on one name.
run 0 gradcheck --self-test exp Linear
says out "sign_flipped" "planted bugs caught" "0 false alarms" "faults of float32 kernels: " "caught by the proof in float32"

# The page, as a whole or not at all.
run 0 gradcheck exp --html page.html
says out "1 of 1 passed"
says page.html "<!DOCTYPE html>" "</html>"
echo before >page.html
run 0 gradcheck exp --html page.html
says page.html "</html>"
[ "$(ls)" = "err
out
page.html" ] || fail "the page leaves other files: $(ls)"
echo mine >page.html.tmp
run 0 gradcheck exp --html page.html
[ "$(cat page.html.tmp)" = mine ] || fail "a file beside the page is gone or changed"
rm page.html.tmp
run 0 gradcheck --model lenet --html model.html --json
says model.html "</html>" "lenet"
# Known before the check begins, so that nobody waits for nothing.
mkdir folder
refuses 2 "--html folder: is there and is not a file" gradcheck exp --html folder
refuses 2 "--html nowhere/page.html: cannot write there: No such file" gradcheck exp --html nowhere/page.html
refuses 2 "--html /proc/page.html: cannot write there" gradcheck exp --html /proc/page.html
refuses 2 "--html /dev/null: is there and is not a file" gradcheck --model lenet --html /dev/null
[ ! -e nowhere ] || fail "a page that cannot be written leaves a folder"

# The folder of a training, in either precision.
run 0 train --data digits --model cnn --epochs 1 --quiet --out run
run 0 gradcheck --float32 --model run
says out "run with its loss, 11354 parameters, 32 images" "run: pass"
run 0 gradcheck --model run
mkdir empty
# shellcheck disable=SC2086  # nothing, or an option
for how in "" --float32; do refuses 66 "empty: no training here" gradcheck --model empty $how; done

# Names that are not there.
refuses 2 "nothing is named conv2; nearest are conv2d" gradcheck conv2
refuses 2 "nothing is named linaer; nearest are linear, Linear" gradcheck linaer
refuses 2 "nothing is named conv2; nearest are conv2d" gradcheck --self-test conv2
refuses 2 "vgg is not known; known are cnn, lenet, mlp, mobilenet, nin, resnet20" gradcheck --model vgg
refuses 2 "--order: 3 is not" gradcheck --order 3
refuses 2 "--order: 0 is not" gradcheck --order 0

# Options that contradict each other, in either order.
run 0 gradcheck --all --list
[ "$(wc -l <out)" = "$names" ] || fail "--all has other names than those listed"
refuses 2 "excludes" gradcheck --all add
refuses 2 "excludes" gradcheck add --model lenet
refuses 2 "excludes" gradcheck --model lenet --all
refuses 2 "--self-test" gradcheck --self-test --model lenet
refuses 2 "--self-test" gradcheck --model lenet --self-test
refuses 2 "--list" gradcheck --list --model lenet
refuses 2 "--list" gradcheck --list --self-test
refuses 2 "--list" gradcheck --list --html page.html
refuses 2 "--order" gradcheck --model lenet --order 2
refuses 2 "--order" gradcheck --self-test --order 2
refuses 2 "--html" gradcheck --self-test --html page.html
refuses 2 "--list" gradcheck --list --order 2
finish
