# with_simd.sh PROGRAM LEVEL: the kernels' tests with fewer vectors than this CPU may have. Where LEVEL is no limit here, the
# tests that run without one have run it all.
set -eu

in_use() {
  GRADUS_SIMD=$1 "$2" --success --test-case="GRADUS_SIMD limits the vectors that are used" | sed -n 's/.*vectors in use: //p'
}

[ -n "$(in_use '' "$1")" ] || { echo "the program does not say which vectors it uses"; exit 1; }
if [ "$(in_use "$2" "$1")" = "$(in_use '' "$1")" ]; then
  echo "$2 is what this CPU takes without a limit: kernels.* has run all of it"
  exit 0
fi
GRADUS_SIMD=$2 exec "$1"
