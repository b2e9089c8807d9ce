#!/bin/sh
# gradus import and gradus run: an ONNX file becomes a training that all commands take, or is computed on arrays; what cannot
# be is refused in one line, and nothing is left behind.
. "$GRADUS_SOURCE/tests/support/app.sh"

corpus=$GRADUS_SOURCE/tests/fuzz/corpus
digits=$GRADUS_SOURCE/tests/fixtures/onnx_import/digits.onnx
if "$gradus" run "$digits" 2>&1 | grep -q "this build has no ONNX"; then
  refuses 74 "libonnx-dev" run "$digits"
  refuses 74 "this build has no ONNX" import "$digits" -o run
  echo "skipped: no ONNX in this build"
  finish
  exit 0
fi

# array FILE BYTES...: a .npy of two float32
array() {
  printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" >"$1"
  printf "$2" >>"$1"
}

# [1,2] + [1,2], the second from a file beside the net
cp "$corpus/beside.onnx" .
printf '\000\000\200\077\000\000\000\100' >data.bin
array x.npy '\000\000\200\077\000\000\000\100'
array wanted.npy '\000\000\000\100\000\000\200\100'
run 0 run beside.onnx --input x.npy --output y.npy
says out "y: float32 [2], in y.npy"
tail -c 8 y.npy >got
tail -c 8 wanted.npy | cmp -s - got || fail "y.npy does not hold [2,4]"
run 0 run beside.onnx --input x=x.npy --output y=z.npy
cmp -s y.npy z.npy || fail "inputs by name give other numbers"
refuses 2 "--input: 'x' is missing" run beside.onnx
refuses 2 "is one too many" run beside.onnx --input x.npy --input x.npy
refuses 66 "no such file" run beside.onnx --input absent.npy
rm data.bin
refuses 66 "no such file" run beside.onnx --input x.npy --output not.npy
[ ! -e not.npy ] || fail "a refused run wrote a file"

run 0 import "$digits" -o net --data digits
says out "10 nodes, 1386 parameters, images [1,8,8] in 10 classes"
run 0 summary net
says out "Conv2d" "BatchNorm2d" "Linear" "1386"
run 0 eval net
says out "test accuracy"
run 0 train --from net --data digits --epochs 4 --out trained --quiet
run 0 eval trained --json
accuracy=$(sed 's/.*"test_accuracy":\([0-9.]*\).*/\1/' out)
[ "$(echo "$accuracy" | awk '{ print ($1 > 0.9) }')" = 1 ] || fail "trained to $accuracy, more than 0.9 expected"
run 0 gradcheck --model trained
run 0 report trained --out report.html --quiet
run 0 export trained weights.safetensors
run 0 inspect weights.safetensors
says out "net.conv.weight" "net.head.bias"
run 0 train --resume trained --epochs 5 --quiet

# What our own files say of pixels counts: the imported net answers as the one that was exported.
run 0 train --data digits --model cnn --epochs 2 --out own --quiet
run 0 eval own --json
answers=$(sed 's/.*"report":{"accuracy":\([0-9.]*\).*/\1/' out)
run 0 export own own.onnx
run 0 import own.onnx -o again
run 0 eval again --data digits --json
again=$(sed 's/.*"report":{"accuracy":\([0-9.]*\).*/\1/' out)
[ "$answers" = "$again" ] || fail "exported with test accuracy $answers, imported with $again"

refuses 66 "no such file" import absent.onnx -o other
refuses 65 "" import "$corpus/u1.npy" -o other
refuses 65 "takes float32 of 1 dimensions" import "$corpus/types.onnx" -o other
refuses 2 "a training is there" import "$digits" -o net
[ ! -e other ] || fail "a refused import made a folder"
finish
