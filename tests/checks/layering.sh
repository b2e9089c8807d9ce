#!/bin/sh
# layering.sh SOURCE_DIR: each folder at the top is a level and includes only the levels that it stands on. Prints file:line
# and the rule for each include that breaks it. core and core/kernels include each other: functions on tensors call kernels,
# and kernels use core's threads, vectors, storage, shapes and errors; but no kernel may reach core/tensor.h, not even
# through another header. autograd and its folders are one level. app, examples, exercises, tests and bench may include everything.
set -eu
cd "$1"

find core autograd layers optim data io interchange gradcheck report app examples exercises -name '*.h' -o -name '*.cpp' 2>/dev/null | sort | xargs -r awk '
  BEGIN {
    may_include["core/kernels"] = "core"
    may_include["core"]         = "core/kernels"
    may_include["autograd"]     = "core"
    may_include["layers"]       = "core autograd"
    may_include["optim"]        = "core autograd"
    may_include["data"]         = "core io"
    may_include["io"]           = "core"
    may_include["interchange"]  = "core autograd layers data io"
    may_include["gradcheck"]    = "core autograd layers optim"
    may_include["report"]       = "core autograd layers optim data io gradcheck"
  }
  function floor_of(path) { return path ~ /^core\/kernels\// ? "core/kernels" : substr(path, 1, index(path, "/") - 1) }
  function fail(where, rule) { print where ": " rule; failed = 1 }
  function reaches_tensor(path,   i, n, next_ones) {
    if (path == "core/tensor.h") return 1
    if (path in seen) return 0
    seen[path] = 1
    n = split(includes[path], next_ones, " ")
    for (i = 1; i <= n; i++) if (reaches_tensor(next_ones[i])) return 1
    return 0
  }

  FILENAME ~ /^(app|examples|exercises)\// {
    if ($0 ~ /^[ \t]*#[ \t]*include[ \t]*<gradus\/.*\/(kernels|detail|samples)\//)
      fail(FILENAME ":" FNR, "app, examples and exercises include public headers only: " $0)
    next
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    fail(FILENAME ":" FNR, "write our own includes from the top, as <gradus/core/tensor.h>: " $0)
  }
  /^[ \t]*#[ \t]*include[ \t]*<gradus\// {
    path = $0
    sub(/^[^<]*<gradus\//, "", path)
    sub(/>.*/, "", path)
    from = floor_of(FILENAME)
    to = floor_of(path)
    includes[FILENAME] = includes[FILENAME] " " path
    if (to != from && index(" " may_include[from] " ", " " to " ") == 0)
      fail(FILENAME ":" FNR, from " may include only itself and: " may_include[from] "; it includes <gradus/" path ">")
    else if (from == "core/kernels") kernel_include[FILENAME ":" FNR] = path
  }

  END {
    for (where in kernel_include) {
      split("", seen)
      if (reaches_tensor(kernel_include[where]))
        fail(where, "core/kernels must not know Tensor; <gradus/" kernel_include[where] "> is or includes core/tensor.h")
    }
    exit failed
  }'
