#!/bin/sh
# headers.sh INCLUDE_DIR COMPILER FLAG...: compiles each installed header alone. One that leans on what another
# includes, or on a header that is not installed, fails here.
set -eu
include_dir=$1
shift
cd "$include_dir"
find gradus -name '*.h' | sort | xargs -P 2 -I {} "$@" -fsyntax-only -I . -x c++ -include {} /dev/null
