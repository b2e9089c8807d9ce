#!/bin/sh
# gradus_h_has_all.sh SOURCE_DIR LIST: include/gradus/gradus.h includes the headers of LIST, which are those that are
# installed, all of them and in that order.
set -eu
sed -n 's,^#include <gradus/\(.*\)>$,\1,p' "$1/include/gradus/gradus.h" | diff - "$2" >difference || {
  echo "include/gradus/gradus.h lacks what is marked > and must not have what is marked <:"
  grep '^[<>]' difference
  exit 1
}
