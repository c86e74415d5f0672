#!/bin/sh
# Installs those of the given Debian packages that are missing, with sudo when not root,
# and says so first. Does nothing, and needs no rights, when all are there.
set -eu
missing=""
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" ||
        missing="$missing $package"
done
[ -z "$missing" ] && exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# The list of packages may be old or absent on a new machine.
$sudo apt-get update -q
# shellcheck disable=SC2086 # one word a package
$sudo apt-get install -y -q --no-install-recommends $missing
