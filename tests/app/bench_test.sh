#!/bin/sh
# gradus bench: what it prints, the trace as a whole or not at all, and what makes no sense.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 bench --model mlp --batch 2 --image 4 --steps 2 --threads 1
says out "mlp, 38538 parameters, 2 images of 4x4 a step, 2 steps, threads: 1" "GFLOP/s in SGEMM" "training step" "inference"
! grep -q "in backward" out || fail "a profile that nobody asked for"

run 0 bench --model cnn --batch 2 --image 8 --steps 2 --profile
says out "conv2d_weight_grad  in backward" "SGD                 step" "engine and the rest" "total"
awk 'length > 110 { exit 1 }' out || fail "the table is wider than 110 columns"

# The trace, as a whole or not at all.
run 0 bench --batch 1 --steps 1 --profile --trace trace.json
says trace.json '"traceEvents":[{"name":"conv2d"'
echo before >trace.json
run 0 bench --batch 1 --steps 1 --profile --trace trace.json
says trace.json '"traceEvents"'
[ "$(ls)" = "err
out
trace.json" ] || fail "the trace leaves other files: $(ls)"
mkdir folder
refuses 2 "--trace folder: is there and is not a file" bench --profile --trace folder
refuses 2 "--trace nowhere/t.json: cannot write there: No such file" bench --profile --trace nowhere/t.json
refuses 2 "--trace requires --profile" bench --trace trace.json
refuses 2 "--trace" bench --profile --trace ""

refuses 2 "vgg is not known; known are cnn, lenet, mlp, mobilenet, nin, resnet20" bench --model vgg
refuses 2 "--image 32: make_model: lenet takes images of [1,28,28]" bench --image 32
refuses 2 "--image 1: make_model: cnn takes images of at least 2x2" bench --model cnn --image 1
for net in "resnet20 --image 4" "cnn --image 2" "mobilenet --image 2" "nin --image 1"; do
  # shellcheck disable=SC2086  # a name and an option
  refuses 2 "--batch 1 of --image ${net##* }: BatchNorm2d: training needs more than 1 value per channel" \
    bench --model $net --steps 1 --batch 1
done
refuses 2 "--batch 1000000 of --image 4096: more than" bench --model cnn --batch 1000000 --image 4096
refuses 2 "--batch: 0 is not a whole number from 1" bench --batch 0
refuses 2 "--steps: -1 is not a whole number from 1" bench --steps=-1
refuses 2 "--image: 9.5 is not a whole number" bench --image 9.5
refuses 2 "--threads: 0 is not a whole number" bench --threads 0
refuses 2 "nothing" bench nothing
finish
