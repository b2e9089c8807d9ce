#!/bin/sh
# gradus inspect: what a file holds, also one that Gradus did not write.
. "$GRADUS_SOURCE/tests/support/app.sh"

run 0 train --model mlp --epochs 1 --quiet --out run
run 0 export run model.safetensors
run 0 inspect model.safetensors
# 64·256+256 + 256·128+128 + 128·10+10 parameters, 4 bytes each.
says out "1.weight" "[256,64]" "F32" "6 tensors, 50826 elements, 203304 bytes" "model: mlp" "data: digits"
run 0 inspect model.safetensors --json
says out '"count":6,"elements":50826,"bytes":203304' '{"name":"5.bias","dtype":"F32","shape":[10],"elements":10,"bytes":40}' \
  '"model":"mlp"'

# One tensor of a type that Gradus does not compute with, whose name would clear the screen.
# 63 bytes of header, in octal.
printf '\077\0\0\0\0\0\0\0{"\\u001b[2J":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}\0\0\0\0' >odd.safetensors
run 0 inspect odd.safetensors
says out "BF16" "1 tensors, 2 elements, 4 bytes"
if grep -q "$(printf '\033')" out; then fail "the file's control characters reach the terminal"; fi

# Every dtype of the format is shown, packed ones too; 120 bytes of header.
printf '\170\0\0\0\0\0\0\0{"a":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},"bb":{"dtype":"F8_E4M3FNUZ","shape":[1],"data_offsets":[3,4]}}   \0\0\0\0' >small.safetensors
run 0 inspect small.safetensors
says out "name  dtype        shape" "a     F4           [2,3]" "bb    F8_E4M3FNUZ  [1]" "2 tensors, 7 elements, 4 bytes"

printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >pointer.safetensors
run 65 inspect pointer.safetensors
says err "is a Git LFS pointer"
finish
