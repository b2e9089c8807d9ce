#!/bin/sh
# spdlog_stays_in_cpp.sh SOURCE_DIR: no header includes spdlog, which costs 0.8 s in every file that sees it and would
# become a need of whoever includes Gradus.
set -eu
cd "$1"
if grep -rnE --include='*.h' --exclude-dir=build '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](spdlog|fmt)/' .; then
  echo "spdlog and fmt belong in .cpp files" >&2
  exit 1
fi
