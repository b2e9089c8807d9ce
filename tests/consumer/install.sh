#!/bin/sh
# install.sh BUILD_DIR PREFIX CMAKE: installs a build into a prefix that holds nothing else, and runs what came out.
set -eu
rm -rf "$2"
"$3" --install "$1" --prefix "$2"
if [ -x "$2/bin/gradus" ]; then
  "$2/bin/gradus" --version
fi
# A path of the build or the source tree in the package files would work here and nowhere else.
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
# It may be a short one, /g: what goes on with a letter is another path.
pattern=$(printf '%s' "$source_dir" | sed 's/[][\.*^$+?(){}|]/\\&/g')
if grep -rnE --include='*.cmake' --include='*.pc' --include='*.h' "$pattern([^[:alnum:]_.-]|\$)" "$2"; then
  echo "installed files name the source tree" >&2
  exit 1
fi
