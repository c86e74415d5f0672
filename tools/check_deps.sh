#!/bin/sh
# Names every library and tool that is missing at once, with the line that brings them.
# Usage: check_deps.sh "PKG-CONFIG MODULES" "DEBIAN PACKAGES"
set -eu
missing=""
for tool in "${PKG_CONFIG:-pkg-config}" "${CC:-gcc}" "${MPICC:-mpicc}"; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if command -v "${PKG_CONFIG:-pkg-config}" >/dev/null 2>&1; then
    for module in $1; do
        "${PKG_CONFIG:-pkg-config}" --exists "$module" || missing="$missing $module"
    done
else
    missing="$missing $1"
fi
[ -z "$missing" ] && exit 0
{
    echo "lmdepth needs what is not here:$missing"
    echo "On Debian 12 this line brings all of it:"
    echo "    apt-get install $2"
} >&2
exit 1
