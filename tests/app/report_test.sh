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

# The same of one that was not finished, one that diverged after an epoch, and one that cannot learn.
run 0 train --data digits --model mlp --epochs 1 --quiet --out short
run 0 report short --quiet -o report.html
holds '"state":"finished"'
run 1 train --data digits --model mlp --optimizer sgd --lr 1e30 --checkpoint-steps 1 --quiet --out far
says err "training diverged"
run 0 report far --quiet
holds '"state":"diverged"' '"id":"rate-too-high"'
says out "The learning rate is too high"
run 0 train --data digits --model mlp --epochs 2 --optimizer sgd --lr 1e-8 --quiet --out slow
run 0 report slow --quiet
says out "The learning rate is too low"

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
refuses 66 "nowhere: no training here" report nowhere
refuses 2 "lenet: report shows the folder of a training; a net alone: gradus graph lenet" report lenet
refuses 2 "out: report shows the folder of a training" report out
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
