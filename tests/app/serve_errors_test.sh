#!/bin/sh
# gradus serve: what cannot be served is told in a line, and nothing is written. What is served, serve_test.cpp asks.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 serve --help
says out "gradus serve" "DIR" "--port" "--listen" "(default: 127.0.0.1)" "Exit codes:"

refuses 66 "nowhere: no training here" serve nowhere
refuses 66 "serve: there is no training in runs; name its folder" serve
refuses 2 "out: serve shows the folder of a training" serve out
refuses 2 "--port" serve --port 65536
refuses 2 "--port requires --serve" train --port 0
refuses 2 "--listen example.org: is no address" train --serve --listen example.org --out run
refuses 2 "--serve: cannot listen on 192.0.2.1" train --serve --port 0 --listen 192.0.2.1 --out run
[ ! -e run ] || fail "a training that cannot be shown has made its folder"

run 0 train --model mlp --epochs 1 --quiet --out run
cp -r run broken
head -c 1000 run/checkpoint.safetensors >broken/checkpoint.safetensors
refuses 65 "broken/checkpoint.safetensors" serve broken
cp run/checkpoint.safetensors broken/
head -c 100 run/metrics.jsonl >broken/metrics.jsonl
refuses 65 "broken/metrics.jsonl: has 100 bytes" serve broken --port 0
finish
