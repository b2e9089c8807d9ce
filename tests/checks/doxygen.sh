#!/bin/sh
# doxygen.sh SOURCE_DIR SCRATCH_DIR: the comments of the public headers are what Doxygen can read, without a warning, and
# there are enough of them. A comment of their own have each class, struct and enumeration, and each function of a class
# that takes arguments. By its name may speak what has no arguments (size(), rank()), a constructor, an assignment or
# another operator, the parts of an Iterator, a member variable, and a name for a type.
# Exit code 77, with the reason, where there is no Doxygen.
set -eu
cd "$1"
scratch=$2
if ! command -v doxygen >/dev/null; then
  echo "skipped: no doxygen; apt-get install doxygen has it"
  exit 77
fi
rm -rf "$scratch"
mkdir -p "$scratch"
export DOXYGEN_OUTPUT="$scratch"
# Doxygen tells what has no comment only where it does not extract all.
{ cat docs/Doxyfile; echo "EXTRACT_ALL = NO"; echo "WARN_IF_UNDOCUMENTED = YES"; echo "GENERATE_HTML = NO"; echo "GENERATE_XML = YES"; } >"$scratch/Doxyfile"
doxygen "$scratch/Doxyfile" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

# "Member size() const (function) of class gradus::Shape is not documented."; an inherited member is told once for each heir.
sed "s|^$PWD/||" "$scratch/log" | sort -u | awk '
  /warning: Member .*\((variable|typedef)\) of .* is not documented\.$/ { next }
  /warning: Member .*\(function\) of .* is not documented\.$/ {
    member = $0
    sub(/^.*warning: Member /, "", member)
    class = member
    sub(/ is not documented\.$/, "", class); sub(/^.* of (class|struct) /, "", class); sub(/^.*::/, "", class)
    name = member
    sub(/\(.*$/, "", name)
    if (member ~ /^[A-Za-z_0-9]*\(\)/ || name == class || name ~ /^operator/ || class == "Iterator") next
  }
  { print; failed = 1 }
  END { exit failed }'
