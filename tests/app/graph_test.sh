#!/bin/sh
# gradus graph: a picture of a net by name or from a file, and nothing written for what is wrong.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 graph resnet20 -o net.svg
says out "net.svg: resnet20, " " parameters"
grep -q '^<svg xmlns="http://www.w3.org/2000/svg"' net.svg || fail "net.svg is no SVG"
grep -q 'BatchNorm2d' net.svg || fail "net.svg shows no batch norm"
run 0 graph lenet --batch 4 --out net.dot
grep -q '^digraph "Sequential" {$' net.dot || fail "net.dot is not for Graphviz"
grep -q 'label="\[4,6,28,28\]"' net.dot || fail "net.dot does not show the shape of the first layer"
cat >net.json <<'END'
[{"Residual": {"body": [{"Conv2d": {"out_channels": 3, "kernel_size": 3, "padding": 1}}]}}, "Flatten", {"Linear": "classes"}]
END
run 0 graph net.json --height 6 --width 6 -o json.dot
grep -q 'label="0.body.0 · Conv2d' json.dot || fail "json.dot does not show the convolution"
grep -q 'label="add' json.dot || fail "json.dot does not show where the branches meet"

refuses 2 "a graph's file is named .svg or .dot" graph lenet -o net.png
refuses 2 "cannot write there" graph lenet -o nowhere/net.svg
refuses 2 "out" graph lenet
refuses 66 "is no folder, no file, and none of the models" graph nothing -o not.svg
refuses 2 "must be between 1 and" graph cnn --classes 10 --height 4096 --width 4096 --batch 1000 -o not.svg
[ ! -e not.svg ] || fail "a refused graph wrote a file"
finish
