#!/bin/sh
# Text in many scripts for `make test-tokens` and `make time-tokens`: Debian's translated
# documents, the names in iso-codes, word lists of spelling dictionaries. The packages are only
# unpacked, into FOLDER/unpacked. Usage: fetch_texts.sh FOLDER
set -eu
folder=$1
packages="installation-guide-amd64 iso-codes debian-reference-ja debian-reference-zh-tw
    manpages-de manpages-fr manpages-ja manpages-ru manpages-uk manpages-zh
    hunspell-ar hunspell-bn hunspell-he hunspell-hi hunspell-ko hunspell-te hunspell-th"
[ -f "$folder/.fetched" ] && exit 0
mkdir -p "$folder/debs" "$folder/unpacked"
echo "fetching texts: $(echo "$packages" | wc -w) packages, about 45 MB"
# shellcheck disable=SC2086 # a list of names without spaces
(cd "$folder/debs" && apt-get download -q $packages >/dev/null)
for package in "$folder"/debs/*.deb; do
    dpkg-deb -x "$package" "$folder/unpacked"
done
rm -rf "$folder/debs"
touch "$folder/.fetched"
