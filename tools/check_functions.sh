#!/bin/sh
# No function over 60 lines, but those whose head comment says why with the words
# "Long because". File names are unique in the whole tree.
set -eu
find src bench -name '*.c' | sort | xargs ctags --fields=+ne --c-kinds=f -o - 2>/dev/null |
    awk -F'\t' '!/^!/ {
        line = 0; end = 0
        for (i = 4; i <= NF; i++) {
            if ($i ~ /^line:/) line = substr($i, 6)
            if ($i ~ /^end:/) end = substr($i, 5)
        }
        if (end - line >= 60) print $2 "\t" line "\t" end - line + 1 "\t" $1
    }' >"${TMPDIR:-/tmp}/lmdepth-long.$$"
trap 'rm -f "${TMPDIR:-/tmp}/lmdepth-long.$$"' EXIT
bad=0
while IFS="$(printf '\t')" read -r file line length name; do
    from=$((line > 12 ? line - 12 : 1))
    if ! sed -n "${from},${line}p" "$file" | grep -q "Long because"; then
        echo "$file:$line: $name has $length lines, 60 is the limit"
        bad=1
    fi
done <"${TMPDIR:-/tmp}/lmdepth-long.$$"
twice=$(find src include tests tools analysis bench -name '*.[ch]' -o -name '*.py' | grep -v '/build' |
    sed 's|.*/||' | grep -v '^__init__' | sort | uniq -d | while read -r name; do
        # A room's header and its implementation share a stem, not a name.
        find src include tests tools analysis bench -name "$name"
    done | awk -F/ '{ count[$NF]++; place[$NF] = place[$NF] " " $0 }
        END { for (name in count) if (count[name] > 1) print name ":" place[name] }')
if [ -n "$twice" ]; then
    echo "file names that are not unique:"
    echo "$twice"
    bad=1
fi
exit $bad
