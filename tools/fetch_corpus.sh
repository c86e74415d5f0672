#!/bin/sh
# Takes the text of the Debian FAQ (English prose) out of the package debian-faq. The package
# is unpacked into a folder of its own, because some machines are set up to install packages
# without their documents. Usage: fetch_corpus.sh FOLDER
set -eu
folder=$1
name="debian-faq.en.txt.gz"
[ -f "$folder/$name" ] && exit 0
mkdir -p "$folder/fetch"
installed="/usr/share/doc/debian/FAQ/$name"
if [ -f "$installed" ]; then
    cp "$installed" "$folder/fetch/$name"
else
    echo "fetching package debian-faq"
    (cd "$folder/fetch" && apt-get download -q debian-faq && dpkg-deb -x debian-faq_*.deb .)
    cp "$folder/fetch/usr/share/doc/debian/FAQ/$name" "$folder/fetch/$name"
fi
mv "$folder/fetch/$name" "$folder/$name"
rm -rf "$folder/fetch"
