#!/bin/sh
# gradus compare: two trainings side by side, and what it refuses.
. "$GRADUS_SOURCE/tests/support/app.sh"

quick="--data digits --model mlp --quiet"
# shellcheck disable=SC2086  # a list of words, here and below
run 0 train $quick --epochs 2 --threads 1 --out a
run 0 train $quick --epochs 2 --threads 2 --out b
run 0 train $quick --epochs 2 --threads 1 --seed 2 --out seed
run 0 train $quick --epochs 1 --threads 1 --schedule none --out short

# The same training: threads are a setting, and change nothing else. Exit code 0 whether they differ or not.
run 0 compare a b
says out "left:  a: mlp on digits, 2 epochs, 90 steps" "right: b: mlp on digits, 2 epochs, 90 steps" "settings that differ" \
  "steps: the same for 90 steps" "weights: the same, bit for bit: 6 tensors, 50826 numbers"
[ "$(grep -c '^  [a-z]' out)" = 1 ] && grep -q '^  threads  1     2$' out || fail "threads alone differ: $(cat out)"
grep -q '^    1  .*[0-9]  *[0-9]' out || fail "no curves: $(cat out)"
run 0 compare a a
says out "settings: the same" "steps: the same for 90 steps"
run 0 compare a b --json
[ "$(wc -l <out)" = 1 ] || fail "compare --json prints more than its line: $(cat out)"
says out '"settings":[{"name":"threads","left":1,"right":2}]' '"steps":{"left":90,"right":90,"same":90,"first_different":null}' \
  '"weights":{"same":true,"tensors":6,"elements":50826,"different":[]}' '"epochs":[{"epoch":1,"left":{"train_loss":'

# Another seed: other first weights, so the first loss is another one already.
run 0 compare a seed
says out "seed  " "steps: the same for 0, then apart: at step 1 the loss is 2." "weights: 6 of 6 tensors differ" "1.weight"
run 0 compare a seed --json
says out '{"name":"seed","left":1,"right":2}' '"same":0,"first_different":{"step":1,"left_loss":' '"same":false,"tensors":6' \
  '"different":[{"name":"1.weight","left":"float32 [256,64]","right":"float32 [256,64]","largest_difference":'

# Another number of epochs and another schedule, which tells from the second epoch on.
run 0 compare a short
says out '  schedule  "cosine"  "none"' "  epochs    2         1" "steps: the same for 45 steps; left has 90, right 45"
grep -q '^    2  .* -  .* -  .* -$' out || fail "the second epoch has no right side: $(cat out)"
run 0 compare short a --json
says out '"epochs":[{"epoch":1,"left":{' '{"epoch":2,"left":null,"right":{' \
  '"steps":{"left":45,"right":90,"same":45,"first_different":null}'

# Another model.
run 0 train --data digits --model cnn --epochs 1 --quiet --out cnn
run 0 compare a cnn
says out '"mlp"' '"cnn"' "  1.weight                float32 [256,64] left, float32 [16] right" \
  "float32 [128] left, nothing right" "nothing left, float32 [16,1,3,3] right"
run 0 compare a cnn --json
says out '{"name":"3.bias","left":"float32 [128]","right":null,"largest_difference":null,"relative_difference":null}'

# 66: what is not there.
mkdir empty
refuses 66 "nowhere: no training here" compare a nowhere
refuses 66 "empty: no training here" compare empty a
cp -r a broken
rm broken/metrics.jsonl
refuses 66 "compare: broken/metrics.jsonl: no such file" compare a broken

# 65: what is damaged, with the line. Six lines about parameters come before that of the first step.
forged() { sed "$1" a/metrics.jsonl >broken/metrics.jsonl; }
forged '/"step":7,/s/"step":7/"step":x/'
refuses 65 "broken/metrics.jsonl: line 13: is not what a training writes: '{\"event\":\"step\"," compare a broken
forged '/"step":7,/s/"step":7/"step":8/'
refuses 65 "line 14: does not go on behind the lines before" compare a broken
forged 's/"step":1,/"step":0,/'
refuses 65 "line 7: does not go on" compare a broken
forged 's/"step":2,/"step":.2,/'
refuses 65 "line 8: is not what" compare a broken
forged 's/"step":20,/"step":2e1,/'
refuses 65 "line 26: its epoch or step is no whole number" compare a broken
forged 's/"step":20,/"step":2.5,/'
refuses 65 "line 26: its epoch or step is no whole number" compare a broken
forged "13s/event/$(printf '\033')[2J./"
refuses 65 "line 13" compare a broken
if grep -q "$(printf '\033')" err; then fail "the file's control characters reach the terminal"; fi
head -c 100 a/metrics.jsonl >broken/metrics.jsonl
refuses 65 "broken/metrics.jsonl: has 100 bytes, its checkpoint counts $(wc -c <a/metrics.jsonl)" compare broken a
# Of the same length, so that only the checksum tells.
forged '7s/"loss":[0-9]/"loss":9/'
if cmp -s a/metrics.jsonl broken/metrics.jsonl; then fail "the test has changed nothing"; fi
refuses 65 "broken/metrics.jsonl: is not that of its checkpoint: CRC-32 " compare a broken
rm broken/metrics.jsonl
mkfifo broken/metrics.jsonl
refuses 74 "broken/metrics.jsonl: is not a regular file" compare a broken
rm broken/metrics.jsonl

# Lines behind those that the checkpoint counts were written before the program was killed.
cp a/metrics.jsonl broken/metrics.jsonl
echo "{" >>broken/metrics.jsonl
run 0 compare a broken
says out "steps: the same for 90 steps"
head -c 2000 a/checkpoint.safetensors >broken/checkpoint.safetensors
refuses 65 "broken/checkpoint.safetensors" compare a broken
refuses 2 "RIGHT is required" compare a
finish
