#!/bin/sh
# gradus train and eval on the digits: what they write and print, and that equal seeds give equal bytes.
. "$GRADUS_SOURCE/tests/support/app.sh"

quick="--data digits --model cnn --epochs 2"

# shellcheck disable=SC2086  # a list of words, here and below
run 0 train $quick --threads 1 --json --out a
for key in test_accuracy epochs parameters seconds images_per_second test_loss train_loss data model seed threads out \
  interrupted; do
  [ -n "$(value $key)" ] || fail "train --json has no $key: $(cat out)"
done
[ "$(wc -l <out)" = 1 ] || fail "train --json prints more than its line: $(cat out)"
[ "$(value epochs)" = 2 ] && [ "$(value interrupted)" = false ] || fail "unexpected values: $(cat out)"
accuracy=$(value test_accuracy)
loss=$(value test_loss)
[ "$(wc -l <err)" = 3 ] || fail "without a terminal: a line at the start and one an epoch: $(cat err)"
says err "epoch 1/2: loss " "epoch 2/2: loss " "images/s"
if grep -q "$(printf '[\033\r]')" err out; then fail "control characters where there is no terminal"; fi

# One line a step (1437 images in batches of 32) and one an epoch.
[ "$(grep -c '"event":"step"' a/metrics.jsonl)" = 90 ] || fail "90 steps expected in metrics.jsonl"
[ "$(grep -c '"event":"epoch"' a/metrics.jsonl)" = 2 ] || fail "2 epochs expected in metrics.jsonl"
run 0 inspect a/checkpoint.safetensors
says out '"gradus":' '"seed":1' '"threads":1' '"data_checksum"' '"optimizer":"adam"' '"batch_size":32' '"parameters":' \
  '"schedule":"cosine"' '"position":{"epoch":3,"batch":0,"step":90,' training.optimizer.state.0.exp_avg
[ "$(ls -A a)" = "$(printf 'checkpoint.safetensors\nmetrics.jsonl')" ] || fail "other files in a/: $(ls -A a)"

# The same seed: the same bytes, at any number of threads. Another seed: another model.
run 0 train $quick --threads 1 --quiet --out b
run 0 train $quick --threads 2 --quiet --out c
[ ! -s err ] || fail "--quiet is not quiet: $(cat err)"
says out "cnn on digits: test accuracy" "kept in c"
run 0 train $quick --seed 2 --quiet --out d
for out in a b c d; do run 0 export $out $out.safetensors; done
says out "d.safetensors: cnn on digits, epoch 2, "
same a.safetensors b.safetensors
same a.safetensors c.safetensors
if cmp -s a.safetensors d.safetensors; then fail "two seeds give the same model"; fi
run 0 inspect a.safetensors
says out "0.weight" "epoch: 2"
if grep -q "training" out; then fail "export writes more than the model: $(cat out)"; fi

# eval finds what train printed.
run 0 eval a --json --threads 2
[ "$(value test_accuracy)" = "$accuracy" ] || fail "train: $accuracy, eval: $(value test_accuracy)"
for key in epochs parameters seconds images_per_second test_loss train_loss data model seed threads out interrupted; do
  [ -n "$(value $key)" ] || fail "eval --json has no $key: $(cat out)"
done
awk "BEGIN { d = $(value test_loss) / $loss - 1; exit !(d < 1e-4 && d > -1e-4) }" ||
  fail "train: a test loss of $loss, eval with batch norms folded: $(value test_loss)"
run 0 eval a --json --no-fuse
[ "$(value test_loss)" = "$loss" ] || fail "train: a test loss of $loss, eval --no-fuse: $(value test_loss)"
run 0 eval a
says out "cnn on digits, epoch 2: test accuracy"

# Every optimizer and schedule, another model, the folder that is the default; a folder below folders that are not there.
run 0 train --model mlp --epochs 1 --quiet --optimizer sgd --momentum 0.5 --weight-decay 0.0001 --schedule none
run 0 eval runs/digits-mlp
run 0 train --epochs 1 --quiet --optimizer adamw --batch-size 5000 --lr 1e-3 --out deep/er/folder
[ -f deep/er/folder/checkpoint.safetensors ] || fail "no model in deep/er/folder"

# Other kernels of the BLAS library: other last bits, so who goes on with them is told, and a step cannot be repeated. Where it
# has no kernels to choose from there is nothing to tell.
kernels() { GRADUS_LOG_LEVEL=debug "$gradus" train --epochs 1 --schedule none --out kernels --overwrite 2>&1 | grep "BLAS: "; }
if [ "$(OPENBLAS_CORETYPE=Prescott kernels)" != "$(kernels)" ]; then
  run 0 train --resume kernels --epochs 2 --quiet
  [ ! -s err ] || fail "the same kernels, but a warning: $(cat err)"
  OPENBLAS_CORETYPE=Prescott refuses 2 "has matrix products of " trace kernels --at-step 3
  OPENBLAS_CORETYPE=Prescott run 0 train --resume kernels --epochs 3 --quiet
  says err "kernels/checkpoint.safetensors: its matrix products are those of 'OpenBLAS" ", here of OpenBLAS" "(Prescott, " "the last bits differ"
fi

# The environment.
GRADUS_NUM_THREADS=2 run 0 train --epochs 1 --quiet --json --out e
[ "$(value threads)" = 2 ] || fail "GRADUS_NUM_THREADS=2, but $(value threads) threads"
GRADUS_NUM_THREADS=many run 0 train --epochs 1 --quiet --overwrite --out e
says err "GRADUS_NUM_THREADS='many'"
GRADUS_LOG_LEVEL=debug run 0 train --epochs 1 --quiet --overwrite --out e
says err "gradus: debug: BLAS: " "gradus: debug: storage: peak"
GRADUS_LOG_LEVEL=loud run 0 train --epochs 1 --quiet --overwrite --out e
[ "$(wc -l <err)" = 1 ] || fail "one warning expected: $(cat err)"
says err "GRADUS_LOG_LEVEL='loud'"

# --from where the classes are others: new are the layer that gives them and what is behind it, whatever that is.
rows() { # CLASSES: a table of 60 rows
  awk -v classes="$1" 'BEGIN {
    print "label,a,b"
    for (i = 0; i < 60; ++i) print "class" i % classes "," i % 7 "," i % 5
  }'
}
rows 2 >two.csv
rows 3 >three.csv
begin='["Flatten", {"Linear": 3}, "ReLU", {"Linear": "classes"}'
for end in '' ', {"Softmax": 1}' ', {"LogSoftmax": 1}, {"Dropout": 0.1}' ', "Flatten"'; do
  echo "$begin$end]" >net.json
  run 0 train --data two.csv --model net.json --epochs 1 --quiet --overwrite --out two
  run 0 train --data three.csv --model net.json --from two --epochs 1 --overwrite --out three
  says err "two, but for layer 3, which is new: other classes"
done
echo "$begin, \"BatchNorm1d\", {\"PReLU\": 1}]" >net.json
run 0 train --data two.csv --model net.json --epochs 1 --quiet --overwrite --out two
run 0 train --data three.csv --model net.json --from two --epochs 1 --overwrite --out three
says err "two, but for layers 3 to 5, which are new: other classes"
run 0 train --data two.csv --model net.json --from two --epochs 1 --overwrite --out three
if grep -q "new" err; then fail "the same classes, and yet a new layer: $(cat err)"; fi
echo '["Flatten", {"Linear": 4}, "ReLU", {"Linear": "classes"}, "BatchNorm1d", {"PReLU": 1}]' >net.json
refuses 65 "--from two: 1.weight is [3,2], this model has [4,2]" train --data three.csv --model net.json --from two --out x
finish
