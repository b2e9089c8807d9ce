#!/bin/sh
# site.sh SOURCE_DIR SCRATCH_DIR: the book becomes a site in which every link and every image leads to something, that has
# no script, loads nothing from elsewhere, and in which no formula was left as TeX.
set -eu
command -v pandoc >/dev/null || { echo "skipped: no pandoc"; exit 77; }
rm -rf "$2"
mkdir -p "$2"
sh "$1/docs/book/site/build.sh" "$1" "$2/site" 2>"$2/messages" >/dev/null
cd "$2/site"
status=0
[ ! -s ../messages ] || { echo "pandoc says:"; cat ../messages; status=1; }
for page in 01-tensors 12-adding-an-operation index reading; do
  [ -s "$page.html" ] || { echo "there is no $page.html"; status=1; }
done
if grep -rlE '<script|(src|srcset)="[a-z]+:|<link[^>]*href="[a-z]+:|@import|url\(' . ; then
  echo "these load something from elsewhere, or have a script"
  status=1
fi

# Every page with what it links to, then whether that is there: a file, and the id behind the #.
find . -name '*.html' | sort | while IFS= read -r page; do
  tr '\n' ' ' <"$page" | grep -oE '(href|src)="[^"]*"' | sed 's/^[a-z]*="//; s/"$//' | sort -u |
    grep -vE '^(https?|mailto):|^#cb[0-9]' | sed "s,^,$page ,"
done >../links
while IFS=' ' read -r page link; do
  file=${link%%#*}
  if [ -z "$file" ]; then file=$page; else file=$(dirname "$page")/$file; fi
  [ -f "$file" ] || { echo "$page: $link leads nowhere"; status=1; continue; }
  case $link in
    *\#*) grep -qF "id=\"${link#*#}\"" "$file" || { echo "$page: $link: there is no such place"; status=1; } ;;
  esac
done <../links
[ -s ../links ] || { echo "a site without links"; status=1; }
exit $status
