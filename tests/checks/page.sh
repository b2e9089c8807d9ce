#!/bin/sh
# page.sh SOURCE_DIR: the page of the report that is in the tree was built from the sources in the tree. It carries the
# checksum of those, which report/page/vite.config.mjs writes and this computes again, without Node.
# To build it again: cd report/page && npm ci && npm run build.
set -eu
cd "$1/report/page"
built=$(sed -n 's/.*<meta name="gradus-page-sources" content="\([0-9a-f]*\)".*/\1/p' dist/report.html)
sources=$( (ls index.html package-lock.json package.json tsconfig.json vite.config.mjs; find src -type f) | LC_ALL=C sort |
  while read -r file; do sha256sum "$file"; done | sha256sum | cut -d ' ' -f 1)
[ "$built" = "$sources" ] || {
  echo "report/page/dist/report.html is stale: its sources had the checksum '$built', now they have $sources"
  exit 1
}
for mark in @report@ @numbers@; do
  [ "$(grep -o "$mark" dist/report.html | wc -l)" = 1 ] || { echo "report/page/dist/report.html: $mark must stand there once"; exit 1; }
done
size=$(wc -c <dist/report.html)
[ "$size" -le 358400 ] || { echo "report/page/dist/report.html: $size bytes are more than 350 kB"; exit 1; }
