#!/bin/sh
# no_shared_state.sh SOURCE_DIR: nothing of ours calls a function of C that keeps its result, or a part of it, in memory that
# all threads share: std::lgamma writes the sign of the gamma function there.
set -eu
cd "$1"
names='lgamma|lgammaf|lgammal|strtok|localtime|gmtime|asctime|ctime|srand|std::rand|drand48|tmpnam|ttyname|getpwuid|getpwnam|gethostbyname|inet_ntoa'
if grep -rnE --include='*.h' --include='*.cpp' --exclude-dir=build "(^|[^A-Za-z0-9_])($names)[[:space:]]*\(" .; then
  echo "these share their result between threads: take the variant with _r, or another way" >&2
  exit 1
fi
