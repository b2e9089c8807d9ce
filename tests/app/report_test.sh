#!/bin/sh
# gradus report: the page of a training holds what the training left behind; of what is wrong one line, and no file.
. "$GRADUS_SOURCE/tests/support/app.sh"

# What a page holds below "key": at most so much that grep finds it; JSON is one line.
holds() {
  for words in "$@"; do
    grep -qF -- "$words" report.html || fail "report.html does not hold $words"
  done
}

run 0 train --data digits --model cnn --epochs 3 --validation 0.1 --quiet --out run
run 0 report run --quiet
says out "written: report.html"
[ "$(wc -c <report.html)" -lt 3000000 ] || fail "report.html has $(wc -c <report.html) bytes"
holds '"state":"finished"' '"title":"cnn on digits"' 'gradus train --data digits --model cnn --validation 0.1' \
  '"confusion":{"counts":[[' '"name":"0.weight"' '"epoch":3' '"snapshots":[{"epoch":0' '"validation_accuracy":0.' \
  '"name":"test image ' '"severity"' '"op":"conv2d"'
if grep -qE '@(report|numbers)@' report.html; then fail "the page has a place that nothing was put into"; fi
for word in '<script src' 'href="http' '@import'; do
  if grep -qF "$word" report.html; then fail "the page asks the network: $word"; fi
done

# The command that it shows repeats the training, to the bit.
run 0 train --data digits --model mobilenet --epochs 1 --shards 4 --quiet --out cut
run 0 report cut --quiet
command=$(grep -o '"command":"[^"]*"' report.html | head -n 1 | cut -d '"' -f 4)
# shellcheck disable=SC2086
run 0 ${command#gradus } --quiet --out repeated
run 0 export cut cut.safetensors
run 0 export repeated repeated.safetensors
cmp cut.safetensors repeated.safetensors || fail "$command trains something else"

# The same of one that was not finished, one that diverged after an epoch, and one that cannot learn.
run 0 train --data digits --model mlp --epochs 1 --quiet --out short
run 0 report short --quiet -o report.html
holds '"state":"finished"'
run 1 train --data digits --model mlp --optimizer sgd --lr 1e30 --checkpoint-steps 1 --quiet --out far
says err "training diverged"
run 0 report far --quiet
holds '"state":"diverged"' '"id":"rate-too-high"'
says out "The learning rate is too high"
run 1 train --data digits --model cnn --optimizer sgd --lr 1e30 --quiet --out first  # before any checkpoint
run 0 report first --quiet
holds '"state":"diverged"' '"id":"rate-too-high"' '"steps":[{"step":1,' '"epochs":[]' '"name":"0.weight"'
says out "The learning rate is too high: a loss became infinite or no number, at a rate of 1e+30"
refuses 2 "--out first: a training is there already" train --data digits --out first

# One that was interrupted, and one that was killed: as far as they came.
"$gradus" train --data digits --model mlp --epochs 100000 --quiet --out stopped >out 2>err &
until [ -f stopped/checkpoint.safetensors ]; do sleep 0.1; done
kill -TERM $!
wait $! || [ $? = 130 ] || fail "an interrupted training has another exit code than 130"
run 0 report stopped --quiet
holds '"state":"interrupted"' '"epochs":[{"epoch":1,'
"$gradus" train --data digits --model mlp --epochs 100000 --quiet --out killed >out 2>err &
until [ -f killed/checkpoint.safetensors ]; do sleep 0.1; done
kill -KILL $!
wait $! || :
run 0 report killed --quiet
holds '"state":"interrupted"' '"epochs":[{"epoch":1,'
run 0 train --data digits --model mlp --epochs 2 --optimizer sgd --lr 1e-8 --quiet --out slow
run 0 report slow --quiet
says out "The learning rate is too low"

# The gradients of the net are checked, where there is time for it.
run 0 report run --quiet --gradcheck 600
holds '"gradcheck":{"subject":"cnn"' '"fail":0'
# The time is looked at after a tenth of a second for the first time: a net whose check takes more.
run 0 report cut --quiet --gradcheck 0.000001
says out "left out: the gradient check, which takes more than 1e-06 s"
holds '"gradcheck":null'
run 0 report run --quiet --gradcheck 0
holds '"gradcheck":null'

# Pictures of one's own are among the samples, without a label, and change nothing of the others.
run 0 data digits --preview own.png --count 1
run 0 report run --quiet --gradcheck 0 --picture own.png
holds '"samples":[{"name":"own.png","label":null,"predicted":' '"name":"test image 0","label":'
mkdir some
for name in a b c; do cp own.png some/$name.png; done
run 0 report run --quiet --gradcheck 0 --picture some own.png
holds '{"name":"some/a.png","label":null' '{"name":"some/c.png","label":null' '{"name":"own.png","label":null'
rm report.html
echo "no picture" >wrong.png
refuses 65 "wrong.png" report run --quiet --picture own.png wrong.png
refuses 66 "absent.png" report run --quiet --picture absent.png
refuses 2 "--picture: 9 pictures, a report has room for 8" report run --quiet --picture some some some
[ ! -e report.html ] || fail "a report of a picture that cannot be read was written"

# A net alone: first weights, one step.
run 0 report cnn --quiet --gradcheck 600
holds '"title":"cnn with first weights, on digits"' '"run":null' '"op":"conv2d"' '"name":"test image ' '"confusion":null' \
  '"gradcheck":{'
run 0 report lenet --quiet --gradcheck 0 --picture own.png
holds '"title":"lenet with first weights, on digits"' '"shape":[1,28,28]' '"name":"own.png"'
echo '[{"Conv2d": {"out_channels": 4, "kernel_size": 3, "groups": 1}}, "ReLU", "Flatten", {"Linear": "classes"}]' >net.json
norms() { grep -o '"norm":[^,]*' report.html; }  # of the weights
for seed in 1 2; do
  run 0 report net.json --quiet --gradcheck 0 --seed $seed
  holds '"title":"net.json with first weights, on digits"'
  norms >norms$seed
  run 0 report net.json --quiet --gradcheck 0 --seed $seed --threads 1
  norms | cmp -s - norms$seed || fail "the same seed gives other weights"
done
if cmp -s norms1 norms2; then fail "another seed gives the same weights"; fi
mkdir -p pictures/one pictures/two
for name in a b c d e; do for class in one two; do cp own.png pictures/$class/$name.png; done; done
run 0 report net.json --quiet --gradcheck 0 --data pictures --image-size 12 --channels 1
holds '"title":"net.json with first weights, on pictures"' '"classes":["one","two"]' '"shape":[1,12,12]'
says out "are among the training images"
rm report.html
refuses 2 "--model lenet does not suit --data pictures" report lenet --quiet --data pictures --image-size 12
refuses 2 "run is a training, which has its data" report run --data digits
echo '[{"Conv3d": {}}]' >bad.json
refuses 65 "bad.json" report bad.json --quiet
[ ! -e report.html ] || fail "a report of a net that cannot be built was written"

# gradus trace: a step of a training made again, to the bit, whatever the number of threads.
run 0 train --data digits --model cnn --epochs 3 --augment flip --label-smoothing 0.1 --quiet --out traced
for step in 1 46 135; do  # the first, the first of another epoch, the last
  run 0 trace traced --at-step $step --quiet -o one.safetensors --threads 1
  says out "one.safetensors: step $step of epoch $(((step + 44) / 45)), loss"
  run 0 trace traced --at-step $step --quiet -o two.safetensors --threads 2
  same one.safetensors two.safetensors
done
run 0 inspect one.safetensors
says out parameter.0.weight.before parameter.0.weight.gradient parameter.0.weight.after node.000.images.value labels
refuses 2 "--at-step 136: traced has done steps 1 to 135" trace traced --at-step 136
refuses 2 "--at-step" trace traced
refuses 2 "--out nowhere/x: cannot write there" trace traced --at-step 1 -o nowhere/x
run 0 train --resume traced --epochs 4 --quiet
refuses 65 "traced: made again, step 135 has the loss" trace traced --at-step 135 --quiet -o no.safetensors
[ ! -e no.safetensors ] || fail "a trace that is not that of the training was written"

# What is wrong is told in a line, and leaves no file.
rm -f report.html
refuses 66 "nowhere: no folder of a training, no file NET.json, and none of the models" report nowhere
refuses 66 "; did you mean lenet?" report lenat
refuses 2 "out: report shows the folder of a training, or a net: a file NET.json of layers" report out
mkdir empty
refuses 66 "empty: no training here" report empty
refuses 2 "--out nowhere/report.html: cannot write there" report run -o nowhere/report.html
refuses 2 "--out empty" report run -o empty
cp -r run broken
head -c 100 run/metrics.jsonl >broken/metrics.jsonl
refuses 65 "broken/metrics.jsonl: has 100 bytes, its checkpoint counts $(wc -c <run/metrics.jsonl)" report broken
rm broken/metrics.jsonl
refuses 66 "report: broken/metrics.jsonl: no such file" report broken
head -c 1000 run/checkpoint.safetensors >broken/checkpoint.safetensors
refuses 65 "broken/checkpoint.safetensors" report broken
[ ! -e report.html ] || fail "a report that failed has written a page"
finish
