#!/bin/sh
# One's own pictures, from a folder to a trained model, and on from there: each step is one command.
. "$GRADUS_SOURCE/tests/support/app.sh"
[ -x "$GRADUS_BUILD/examples/draw_pictures" ] || fail "the example draw_pictures is not built"

# Sanitizers make each step ten times as slow: there fewer pictures go the same ways, and need not be learnt.
pictures=100
epochs=20
[ -z "$GRADUS_SANITIZE" ] || { pictures=12 epochs=2; }
"$GRADUS_BUILD/examples/draw_pictures" pictures $pictures >drawn
says drawn "$((6 * pictures)) pictures of [3,32,32] in 6 classes"

run 0 data pictures --preview preview.png --augment flip,rotate=10
says out "RGB of 32x32, 6 classes" "circle" "triangle" "preview in preview.png"
[ "$(head -c 4 preview.png | tail -c 3)" = PNG ] || fail "preview.png is no PNG"

train="train --data pictures --validation 0.1 --augment flip,rotate=20 --epochs $epochs"
# shellcheck disable=SC2086  # a list of words, here and below
run 0 $train --threads 2 --workers 2 --tensorboard --json --quiet --out run
accuracy=$(value test_accuracy)
if [ -z "$GRADUS_SANITIZE" ]; then
  awk "BEGIN { exit !($accuracy >= 0.9) }" || fail "test accuracy $accuracy, at least 0.9 expected"
fi
[ "$(value best_epoch)" != null ] || fail "no best epoch: $(cat out)"
ls run/events.out.tfevents.* >/dev/null 2>&1 || fail "no event file: $(ls run)"

# The same bits at other numbers of threads and workers.
# shellcheck disable=SC2086
run 0 $train --threads 1 --workers 3 --quiet --out same
run 0 export run run.safetensors
run 0 export same same.safetensors
same run.safetensors same.safetensors
run 0 compare run same
says out "the same"

# What it was trained on is measured again, by class, with pictures.
run 0 eval run --confusion confusion.png --worst worst.png --json
[ "$(value test_accuracy)" = "$accuracy" ] || fail "train: $accuracy, eval: $(value test_accuracy)"
[ -f confusion.png ] || fail "no confusion.png"
run 0 eval run
says out "test accuracy" circle triangle

# Pictures alone, and folders of them.
run 0 predict run pictures/ring/1000.png
[ "$(wc -l <out)" = 1 ] || fail "a line for a picture expected: $(cat out)"
run 0 predict run pictures/ring pictures/square --json --top 2
[ "$(wc -l <out)" = $((2 * pictures)) ] || fail "$((2 * pictures)) lines expected, got $(wc -l <out)"
says out '"file":"pictures/ring/1000.png","class":"' '"probability":'
if [ -z "$GRADUS_SANITIZE" ]; then
  right=$(grep -c '"file":"pictures/ring/[0-9]*.png","class":"ring"' out)
  [ "$right" -ge 80 ] || fail "of 100 rings $right were seen"
fi

# Other data are judged by the names of their classes, all of them where they have no test part.
mkdir fewer
cp -r pictures/circle pictures/cross pictures/ring fewer
run 0 eval run --data fewer --json
says out "\"samples\":$((3 * pictures)),"
cp -r pictures renamed
mv renamed/circle renamed/disc
refuses 65 "run: the model knows 6 classes, $PWD/renamed has 'disc', which is none of them" eval run --data renamed
[ -z "$GRADUS_SANITIZE" ] && run 0 train --data renamed --from run --epochs 1 --out fine3 && \
  says err "but for layer 15, which is new: other classes"
run 0 train --data pictures --from run --epochs 1 --lr 1e-12 --quiet --out from_folder
run 0 train --data pictures --from run/checkpoint.safetensors --epochs 1 --lr 1e-12 --quiet --out from_file
for out in from_folder from_file; do
  run 0 inspect $out/checkpoint.safetensors
  grep -o "CRC-32 [0-9a-f]*" out >crc_$out || fail "$out does not say what it began with"
done
same crc_from_folder crc_from_file

# What would be lost or mistaken is refused.
cp run/checkpoint.safetensors before
refuses 2 "--confusion run/checkpoint.safetensors: a PNG file is named .png" eval run --confusion run/checkpoint.safetensors
same run/checkpoint.safetensors before
refuses 2 "--preview pictures/ring/1000.png: lies among the pictures of" data pictures --preview pictures/ring/1000.png
refuses 2 "--confusion and --worst name one file, x.png" eval run --confusion x.png --worst x.png
ln -s x.png y.png
for path in ./x.png "$PWD/x.png" y.png; do
  refuses 2 "--confusion and --worst name one file, $path" eval run --confusion x.png --worst $path
done
[ ! -e x.png ] || fail "a refused eval drew a picture"
refuses 2 "makes images of [3,36,36], the net is tested with [3,32,32]" train --data pictures --augment pad=2 --out x --quiet
refuses 2 "makes images of [3,36,36], the net is tested with [3,32,32]" lr-find --data pictures --augment pad=2
refuses 2 "--label-column is for tables, not for pictures" train --data pictures --label-column a --out x --quiet
mkdir parts
cp -r pictures parts/train
cp -r fewer parts/test
refuses 2 "--test-split is for data without a test part" train --data parts --test-split 0.5 --out x --quiet
latin=$(printf 'pi\351')
cp -r fewer "$latin"
refuses 2 "is not UTF-8" train --data "$latin" --out x --quiet
[ ! -e x ] || fail "a training that could not begin has left a folder"
cp pictures/ring/1000.png "$(printf 'a\nb\033[31m.png')"
run 0 predict run "$(printf 'a\nb\033[31m.png')"
[ "$(wc -l <out)" = 1 ] || fail "a name with a newline is two lines: $(cat out)"
if grep -q "$(printf '\033')" out; then fail "a name reaches the terminal as it is"; fi

# Data that have moved are found again.
cp -r fewer here
run 0 train --data here --epochs 1 --quiet --out moved
mv here there
refuses 66 "here" train --resume moved --epochs 2 --quiet
run 0 train --resume moved --epochs 2 --quiet --data there
refuses 65 "is not the data of this training" train --resume moved --epochs 3 --quiet --data pictures

# Going on for longer; the schedule was planned for fewer epochs, and that is said.
run 0 train --resume run --epochs $((epochs + 1)) --quiet
says err "the cosine schedule was planned for $epochs epochs"
run 0 eval run --data pictures --json

# Other classes: the last layer is new, all others begin as they were.
run 0 train --data fewer --from run --epochs 1 --out fine
says err "but for layer 15, which is new: other classes"
run 0 train --data pictures --from run.safetensors --epochs 1 --out fine2
says err "begins with the weights of run.safetensors"
refuses 65 "--from run: 1.weight is [16], this model has [256,3072]" train --data pictures --model mlp --from run --out x --quiet
run 0 summary run
says out "Conv2d" "BatchNorm2d"
run 0 lr-find --data pictures --steps 30
says out "try --lr"

# A net of one's own: layers in a file, which is not needed again.
cat >net.json <<'END'
[{"Conv2d": {"out_channels": 8, "kernel_size": 3, "padding": 1}}, "ReLU", {"MaxPool2d": 4}, "Flatten", {"Linear": "classes"}]
END
run 0 train --data pictures --model net.json --epochs 1 --quiet --out own
run 0 summary net.json --classes 6
rm net.json
run 0 eval own
run 0 predict own pictures/ring/1000.png
run 0 train --resume own --epochs 2 --quiet

# Two epochs without a better one end a training that may have fifty; the best weights are those that count.
run 0 train --data pictures --validation 0.3 --model mlp --epochs 50 --patience 2 --lr 0.01 --json --quiet --out patient
[ "$(value epochs)" -lt 50 ] || fail "--patience 2 did not end the training"
[ "$(value epochs)" = $(($(value best_epoch) + 2)) ] || fail "ended $(value epochs), best $(value best_epoch)"
refuses 2 "--resume patient: ended after 2 epochs that were no better than epoch" train --resume patient

# What is wrong with pictures is told by file, or left out and counted.
cp -r pictures/circle damaged_circle
mkdir damaged
mv damaged_circle damaged/circle
cp -r pictures/ring damaged/ring
head -c 60 pictures/ring/1000.png >damaged/ring/1000.png
refuses 65 "damaged/ring/1000.png" train --data damaged --out x --quiet
refuses 65 "damaged/ring/1000.png" predict run damaged/ring/1000.png
run 0 train --data damaged --skip-bad --epochs 1 --quiet --out x
says err "left out 1 pictures that cannot be read, the first is" "damaged/ring/1000.png"
run 0 predict run damaged/ring --skip-bad
says err "left out 1 pictures"
# A class of which nothing is left is refused, as one without a picture is.
cp -r damaged emptied
cp -r pictures/square emptied/square
for picture in emptied/ring/*; do echo junk >"$picture"; done
refuses 65 "emptied/ring: none of its pictures can be read, the first is" data emptied --skip-bad
# Nothing is passed over in silence: links that lead nowhere, pipes, linked folders, pictures beside the classes.
cp -r fewer strange
ln -s /nowhere/1.png strange/ring/dangling.png
refuses 66 "strange/ring/dangling.png: no such file" data strange
run 0 data strange --skip-bad
says err "left out 1 pictures that cannot be read" "dangling.png"
rm strange/ring/dangling.png
mkfifo strange/ring/0.png
refuses 65 "strange/ring/0.png: is a pipe, not a file" data strange
refuses 65 "strange/ring/0.png: is a pipe, not a file" predict run strange/ring
rm strange/ring/0.png
ln -s "$PWD/pictures/square" strange/ring/more
ln -s .. strange/ring/up
run 0 data strange --json
[ $(($(value train_images) + $(value test_images))) = $((4 * pictures)) ] || fail "a linked folder is not followed once: $(cat out)"
echo scan >strange/ring/1.webp
echo scan >strange/ring/2.BMP
run 0 data strange
says err "strange/ring: left out 2 pictures that are neither PNG nor JPEG, the first is" "1.webp"
rm strange/ring/1.webp strange/ring/2.BMP
cp pictures/ring/1000.png strange/beside.png
run 0 data strange
says err "strange: left out 1 pictures that lie in no class folder, the first is beside.png"
ln -s /nowhere strange/wreath
refuses 66 "strange/wreath: is a link that leads nowhere" data strange
refuses 66 "--data nowhere/at/all: no such file or folder" train --data nowhere/at/all
refuses 66 "nowhere.png" predict run nowhere.png

# Tables.
awk 'BEGIN { srand(1); print "label,a,b,c,d"; for (i = 0; i < 60; i++) { c = i % 3
  printf "%s", substr("redgrnblu", 3 * c + 1, 3); for (k = 0; k < 4; k++) printf ",%d", int(80 * c + 20 * rand()); print "" } }' >t.csv
run 0 train --data t.csv --model mlp --epochs 15 --json --quiet --out table
awk "BEGIN { exit !($(value test_accuracy) >= 0.9) }" || fail "a table is not learnt: $(cat out)"
# The same numbers and a half: not bytes any more, but numbers of 0..255 all the same.
sed '2,$s/,\([0-9]*\)/,\1.5/g' t.csv >half.csv
run 0 eval table --data half.csv --json
awk "BEGIN { exit !($(value test_accuracy) >= 0.9) }" || fail "halves are other numbers: $(cat out)"
# From 0 to 1, they are others: taken for what the model knows they would all be wrong.
awk -F, 'NR == 1 { print; next } { printf "%s", $1; for (k = 2; k <= NF; k++) printf ",%.4f", $k / 256; print "" }' t.csv >unit.csv
refuses 65 "table: the model was trained on numbers from 0 to 255, those of unit.csv are from 0 to 1" eval table --data unit.csv
run 0 train --data unit.csv --model mlp --epochs 15 --json --quiet --out unit
refuses 65 "unit: the model was trained on numbers from 0 to 1, those of t.csv are from 0 to 255" eval unit --data t.csv
run 0 eval unit --data unit.csv --json
awk "BEGIN { exit !($(value test_accuracy) >= 0.9) }" || fail "a table of 0..1 is not learnt: $(cat out)"
refuses 2 "--image-size is for folders of pictures, not for tables" train --data t.csv --image-size 4 --out x
run 0 data t.csv
says out "blu" "grn" "red"
# A picture with more pixels than the net has weights: what was trained can be read again.
for class in $(ls pictures | head -n 2); do
  mkdir -p large/"$class"
  cp $(ls pictures/"$class"/*.png | head -n 4) large/"$class"
done
echo '[{"Conv2d": {"out_channels": 4, "kernel_size": 3, "stride": 2}}, "ReLU", {"AdaptiveAvgPool2d": 1}, "Flatten", {"Linear": "classes"}]' >small.json
for model in cnn small.json; do
  run 0 train --data large --image-size 200 --model $model --epochs 1 --quiet --out large_run --overwrite
  run 0 eval large_run
  run 0 train --resume large_run --epochs 2 --quiet
  run 0 export large_run large.safetensors
  run 0 report large_run --quiet -o large.html
done

# Of other data than those of the training there is no report, and no step made again.
rm "$(find large -name '*.png' | sort | head -n 1)"
refuses 65 "is not the data of this training: checksum" report large_run -o other.html --quiet
refuses 65 "is not the data of this training: checksum" trace large_run --at-step 1 -o other.safetensors --quiet
for file in other.html other.safetensors; do [ ! -e $file ] || fail "$file was written"; done
finish
