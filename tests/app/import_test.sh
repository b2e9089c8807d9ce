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
for name in "" y=; do
  refuses 2 "--output '$name': names no file" run beside.onnx --input x.npy --output "$name"
done
refuses 2 "--input '': names no file" run beside.onnx --input ""
rm data.bin
refuses 66 "no such file" run beside.onnx --input x.npy --output not.npy
[ ! -e not.npy ] || fail "a refused run wrote a file"

run 0 import "$digits" -o net --data digits
says out "10 nodes, 1386 parameters, images [1,8,8] in 10 classes"
refuses 2 "--out net: an imported net is there already: train it (gradus train --from net), write over it (--overwrite)" \
  import "$digits" -o net
run 0 report net --out imported.html --quiet
grep -q '"command":"gradus import digits.onnx --out net --data digits"' imported.html || fail "the report of an imported net tells another command"
grep -q '"state":"finished"' imported.html || fail "what was never begun is shown as interrupted"
! grep -q '"epochs","20"' imported.html || fail "a net that was not trained is described by its training"
refuses 2 "net: is a net that was imported and not trained yet; to train it: gradus train --from net" train --resume net
refuses 2 "to train it: gradus train --from net" serve net --port 0
refuses 2 "to train it: gradus train --from net" trace net --at-step 1
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
grep -q '"command":"gradus train --data digits --from ' report.html || fail "the command names a model that no command knows"
run 0 export trained weights.safetensors
run 0 inspect weights.safetensors
says out "net.conv.weight" "net.head.bias"
run 0 train --resume trained --epochs 5 --quiet

# Numbers that decide sizes are known where the smallest batch is tried: in a net made anew they are 0.
run 0 import "$GRADUS_SOURCE/tests/fixtures/onnx_import/sizes.onnx" -o sizes --data digits
run 0 train --from sizes --data digits --epochs 2 --out sized --quiet
run 0 train --from sizes --data digits --epochs 1 --shards 4 --out sharded --quiet
run 0 train --resume sized --epochs 3 --quiet

# What our own files say of pixels counts: the imported net answers as the one that was exported.
run 0 train --data digits --model cnn --epochs 2 --out own --quiet
run 0 eval own --json
answers=$(sed 's/.*"report":{"accuracy":\([0-9.]*\).*/\1/' out)
run 0 export own own.onnx
run 0 import own.onnx -o again
# Which data it was trained with it names, and they need not be here: without --data it knows none.
mkdir none  # no place to look for them
refuses 66 "again: this net was imported without data, and knows none; --data DATA tells what to test it with" eval again
refuses 66 "again: this net was imported without data, and knows none; gradus import --data DATA tells it some" report again
run 0 eval again --data digits --json
again=$(sed 's/.*"report":{"accuracy":\([0-9.]*\).*/\1/' out)
[ "$answers" = "$again" ] || fail "exported with test accuracy $answers, imported with $again"

# The same of tables, whose numbers are no pixels, with classes that have names: without data and with them.
awk 'BEGIN { srand(3); print "a,b,c,kind"; for (i = 0; i < 150; ++i) { a = 300 + 80*rand(); b = -900*rand(); c = rand();
  print a "," b "," c "," (a > 340 ? (b > -450 ? "oak" : "elm") : "ash") } }' >trees.csv
run 0 train --data trees.csv --model mlp --epochs 60 --out trees --quiet
report() { sed 's/.*"report"://' out; }
run 0 eval trees --json
answers=$(report)
cp trees.csv others.csv
run 0 eval trees --data others.csv --json
of_others=$(report)
echo "$of_others" | awk -F'[:,]' '{ exit !($2 > 0.8) }' || fail "no training that could be missed: $of_others"
run 0 export trees trees.onnx
run 0 import trees.onnx -o trees_again
says out "pixels: plain numbers, then mean"
run 0 import trees.onnx -o trees_with --data trees.csv
run 0 eval trees_with --json
[ "$answers" = "$(report)" ] || fail "imported with its data it answers $(report), before $answers"
for net in trees_again trees_with; do
  run 0 eval $net --data others.csv --json
  [ "$of_others" = "$(report)" ] || fail "$net answers $(report), before $of_others"
done
run 0 eval trees_again --data trees.csv
says out "oak" "elm" "ash"
run 0 export trees_again back.onnx
run 0 import back.onnx -o back_again
says out "pixels: plain numbers, then mean"
# Numbers from 0 to 1 come back as such, not as the bytes of pictures.
awk 'BEGIN { srand(5); print "a,b,kind"; for (i = 0; i < 120; ++i) { a = rand(); b = rand();
  printf "%.4f,%.4f,%s\n", a, b, (a > b ? "yew" : "bay") } }' >shares.csv
run 0 train --data shares.csv --model mlp --epochs 10 --out shares --quiet
cp shares.csv more.csv
run 0 eval shares --data more.csv --json
answers=$(report)
run 0 export shares shares.onnx
run 0 import shares.onnx -o shares_again
run 0 eval shares_again --data more.csv --json
[ "$answers" = "$(report)" ] || fail "numbers to 1: answers $(report), before $answers"
# A file that counts its classes in another order than the data: by name they are the same.
LC_ALL=C sed 's/\["ash","elm","oak"\]/["oak","elm","ash"]/' trees.onnx >turned.onnx
sed 's/oak/fir/; s/ash/oak/; s/fir/ash/' trees.csv >swapped.csv
accuracy() { sed 's/.*"report":{"accuracy":\([0-9.]*\).*/\1/' out; }
run 0 import trees.onnx -o swapped --data swapped.csv
run 0 eval swapped --json
answers=$(accuracy)
run 0 import turned.onnx -o turned --data trees.csv
run 0 eval turned --json
[ "$answers" = "$(accuracy)" ] || fail "classes in another order: $(accuracy) are right, $answers expected"
sed 's/oak/fir/' trees.csv >firs.csv
refuses 2 "has a class 'fir'" import trees.onnx -o other --data firs.csv
refuses 2 "takes images of height 8" import "$digits" -o other --image-size 16x16

# rows FILE SIZE TYPE: x [N,SIZE] of that type, one octal byte each, times w [6,2]
rows() {
  {
    printf '\010\007:~\n\023\n\001x\n\001w\022\001y\032\000"\006MatMul\022\004rows*;\010\006\010\002\020\001B\001wJ0'
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '\000\000\200\077'; done
    printf "Z\021\n\001x\022\014\n\n\010\\$3\022\006\n\000\n\002\010\\$2"
    printf 'b\021\n\001y\022\014\n\n\010\001\022\006\n\000\n\002\010\002B\004\n\000\020\015'
  } >"$1"
}
rows rows.onnx 006 001
run 0 import rows.onnx -o rows
says out "images [1,1,6] in 2 classes"
run 0 import rows.onnx -o rows --image-size 3x2 --overwrite
says out "images [1,2,3] in 2 classes"
refuses 2 "--image-size 2x2: rows.onnx takes images of pixels 6" import rows.onnx -o other --image-size 2x2
# A name that would move the cursor of a terminal is shown in quotes.
LC_ALL=C sed "s/rows/r$(printf '\033')ws/" rows.onnx >escape.onnx
run 0 import escape.onnx -o escape
run 0 export escape named.onnx
says out "named.onnx: 'r?ws' for [N,1,1,6]"
rows wide.onnx 006 013
refuses 65 "wide.onnx: takes float64 of 2 dimensions" import wide.onnx -o other

# No output of a run takes the place of what is read, or of another; no name is made a file of.
cp "$corpus/beside.onnx" .
printf '\000\000\200\077\000\000\000\100' >data.bin
cp beside.onnx kept.onnx
refuses 2 "is the file of the net" run beside.onnx --input x.npy --output ./beside.onnx
same beside.onnx kept.onnx
cp data.bin kept.bin
refuses 2 "is the file of the net" run beside.onnx --input x.npy --output ./data.bin
same data.bin kept.bin
refuses 2 "is the file of an input" run beside.onnx --input x.npy --output x.npy
ln -s x.npy link.npy
refuses 2 "is the file of an input" run beside.onnx --input x.npy --output link.npy
refuses 2 "'nosuch' is no name here, there are y" run beside.onnx --input x.npy --output nosuch=b.npy
[ ! -e nosuch=b.npy ] || fail "a file is called as an output that is not there"
for value in x y z; do
  kind=b
  [ $value = x ] && kind=Z
  printf "$kind\017\n\001$value\022\012\n\010\010\001\022\004\n\002\010\002"
done >values
{
  printf '\010\007:Q\n\014\n\001x\022\001y"\004Relu\n\013\n\001x\022\001z"\003Abs\022\001g'
  cat values
  printf 'B\004\n\000\020\015'
} >two.onnx
run 0 run two.onnx --input x.npy --output first.npy --output second.npy
refuses 2 "is the file of another output" run two.onnx --input x.npy --output one.npy --output ./one.npy
cp -r trained trained_before
refuses 2 "--output trained/checkpoint.safetensors: is the checkpoint of a training" run two.onnx --input x.npy \
  --output y.npy --output trained/checkpoint.safetensors
same trained/checkpoint.safetensors trained_before/checkpoint.safetensors
[ ! -e one.npy ] || fail "a refused run wrote a file"
refuses 2 "one file is expected" run beside.onnx --input x.npy --output y=a.npy --output y=b.npy
array three.npy '\000\000\200\077\000\000\000\100'
sed 's/(2,), /(1,2),/' three.npy >wide.npy
refuses 65 "beside.onnx: " run beside.onnx --input wide.npy

refuses 66 "no such file" import absent.onnx -o other
refuses 65 "" import "$corpus/u1.npy" -o other
refuses 65 "takes float32 of 1 dimensions" import "$corpus/types.onnx" -o other
refuses 2 "a training is there" import "$digits" -o trained
cp "$digits" digits.onnx
mkdir same
cp "$digits" same/checkpoint.safetensors
refuses 2 "--out same: same/checkpoint.safetensors, which is imported, would be replaced" \
  import same/checkpoint.safetensors -o same --overwrite
same same/checkpoint.safetensors digits.onnx
[ ! -e other ] || fail "a refused import made a folder"
finish
