#!/bin/sh
# build.sh SOURCE_DIR OUTPUT_DIR: the book as a static site, by pandoc. Beside the chapters it has the other pages of docs/
# and each source file that a page links to, so that the folder can be copied anywhere. Mathematics is MathML; there is
# no script and nothing is loaded from elsewhere.
set -eu
source_dir=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
site=$source_dir/docs/book/site
rm -rf "$out"/*.html "$out/images" "$out/source" "$out/sources"
mkdir -p "$out/images" "$out/source"
cp "$site/style.css" "$out/"
cp "$source_dir"/docs/book/images/*.svg "$source_dir"/docs/images/* "$out/images/"
cd "$source_dir"

# to_html PAGE NAME OPTION...: the page as $out/NAME.html; the filter notes in $out/sources which files it links to.
to_html() {
  page=$1
  name=$2
  shift 2
  SITE_PAGE=$page SITE_SOURCES=$out/sources pandoc "$page" --from gfm+tex_math_dollars --to html5 --standalone \
    --mathml --toc --toc-depth 2 --template "$site/template.html" --lua-filter "$site/links.lua" \
    --metadata "pagetitle=$(sed -n 's/^# //p' "$page" | head -n 1)" "$@" --output "$out/$name.html"
}

chapters=$(cd docs/book && echo [0-9][0-9]-*.md)
previous=index
: >"$out/sources"
# shellcheck disable=SC2086  # a list of names without blanks
set -- $chapters reading.md
to_html docs/book/README.md index --variable "next=${1%.md}" --variable contents=yes
while [ $# -gt 0 ]; do
  name=${1%.md}
  shift
  to_html "docs/book/$name.md" "$name" --variable "previous=$previous" ${1:+--variable "next=${1%.md}"}
  previous=$name
done
for page in docs/*.md CONTRIBUTING.md; do
  to_html "$page" "$(basename "$page" .md)"
done

# Each linked source file, with numbered lines.
sort -u "$out/sources" | while IFS= read -r file; do
  case $file in
    *.cpp | *.h) language=cpp ;;
    *) language=default ;;
  esac
  mkdir -p "$out/source/$(dirname "$file")"
  up=$(echo "$file" | sed 's,[^/]*/,../,g; s,[^/]*$,,')
  {
    printf '# %s\n\n~~~~~~~~~~ {.%s .numberLines}\n' "$file" "$language"
    cat "$file"
    echo '~~~~~~~~~~'
  } | pandoc --from markdown --to html5 --standalone --template "$site/template.html" --variable "top=../$up" \
    --metadata "pagetitle=$file" --output "$out/source/$file.html"
done
rm "$out/sources"
echo "the book: $out/index.html"
