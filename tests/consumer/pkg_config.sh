#!/bin/sh
# pkg_config.sh MAIN_CPP LIB_DIR COMPILER: compiles and runs a program with nothing but what pkg-config says.
set -eu
export PKG_CONFIG_PATH="$2/pkgconfig"
program=$(mktemp)
trap 'rm -f "$program"' EXIT
# shellcheck disable=SC2046  # the flags are words
"$3" -std=c++20 "$1" -o "$program" $(pkg-config --cflags --libs gradus)
LD_LIBRARY_PATH="$2" "$program"
