#!/bin/sh
# gradus export to ONNX: from a model's name, from layers in JSON, from the folder of a training; and what is refused.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 export --help
says out "gradus export" "DIR" "FILE" ".onnx" "--fold" "--channels"

"$gradus" export lenet probe.onnx >out 2>err || {
  # A build without the packages says so, in one line, and writes nothing.
  says err "this build has no ONNX; install libonnx-dev"
  refuses 74 "this build has no ONNX" export lenet probe.onnx
  [ ! -e probe.onnx ] || fail "a build without ONNX leaves a file"
  finish
}
[ "$(cat out)" = "probe.onnx: lenet for [N,1,28,28], 12 nodes, 61706 parameters" ] || fail "lenet: $(cat out)"
[ ! -s err ] || fail "export writes on stderr: $(cat err)"

for model in cnn mlp mobilenet nin resnet20; do
  run 0 export $model $model.onnx --channels 1 --height 12 --width 8 --classes 3
  says out "$model for [N,1,12,8]"
  run 0 export $model $model.folded.onnx --channels 1 --height 12 --width 8 --classes 3 --fold
  ! grep -q running_var $model.folded.onnx || fail "$model: statistics are left in the folded file"
done
grep -q running_var cnn.onnx || fail "cnn: no statistics in the file that is not folded"
cmp -s mlp.onnx mlp.folded.onnx || fail "mlp has nothing to fold, but is another file with --fold"

cat >net.json <<'JSON'
[{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "BatchNorm2d", "SiLU", "Flatten", {"Linear": "classes"}]
JSON
run 0 export net.json net.onnx --channels 2 --height 6 --width 5
says out "net.onnx: net.json for [N,2,6,5], 6 nodes"
refuses 65 "net.json: layers[0] Conv2d" export net.json other.onnx --height 2 --width 2
refuses 66 "nothing.json" export nothing.json other.onnx

# The folder of a training says by itself what its images are, and the file what becomes of a pixel.
run 0 train --data digits --model net.json --epochs 1 --out run --quiet
run 0 export run run.onnx
says out "run.onnx: net.json for [N,1,8,8], 6 nodes"
for key in class_names epoch mean stddev "(pixel/255 - mean)/stddev" num_batches_tracked; do
  grep -qF "$key" run.onnx || fail "run.onnx does not tell $key"
done
cp run.onnx first.onnx
run 0 export run run.onnx
same run.onnx first.onnx
refuses 2 "--height 9: the model in run has 8" export run run.onnx --height 9
refuses 2 "--fold and the sizes of images are for a .onnx file" export run run.safetensors --fold
refuses 66 "no training" export . other.onnx

# Where nothing can be written, what is there stays.
mkdir folder.onnx
refuses 2 "FILE folder.onnx: is there and is not a file" export lenet folder.onnx
refuses 2 "FILE no/net.onnx: cannot write there" export lenet no/net.onnx
[ "$(ls -A folder.onnx)" = "" ] || fail "something was left in a folder"
(ulimit -f 8; trap '' XFSZ; "$gradus" export run run.onnx >out 2>err) && fail "a full disk is no error"
says err "run.onnx"
[ "$(wc -l <err)" = 1 ] || fail "a full disk takes more than a line: $(cat err)"
same run.onnx first.onnx
[ ! -e other.onnx ] || fail "a refused export left a file"
finish
