#!/bin/sh
# layering.sh SOURCE_DIR: each folder is a level and includes only levels below it. Prints file:line and the rule for each
# include that runs upwards. core/kernels is a level of its own: raw loops, which must not reach core/tensor.h even
# through another header. app, examples, tests and bench stand on top and may include everything.
set -eu
cd "$1"

find core autograd layers optim data io -name '*.h' -o -name '*.cpp' 2>/dev/null | sort | xargs -r awk '
  BEGIN {
    below["core/kernels"] = "core"
    below["core"]         = "core/kernels"
    below["autograd"]     = "core"
    below["layers"]       = "core autograd"
    below["optim"]        = "core autograd"
    below["data"]         = "core"
    below["io"]           = "core"
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
    if (to != from && index(" " below[from] " ", " " to " ") == 0)
      fail(FILENAME ":" FNR, from " may include only itself and: " below[from] "; it includes <gradus/" path ">")
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
