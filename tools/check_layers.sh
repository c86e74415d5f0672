#!/bin/sh
# Holds every #include under src/ and include/ against the table src/LAYERS: a room includes
# only the rooms its row names, and an outside header belongs to one room.
set -eu
find src include/lmdepth -name '*.[ch]' | sort | xargs grep -HoE '^#include [<"][^>"]+' |
    awk -F: '
function trim(s) { gsub(/^ +| +$/, "", s); return s }
BEGIN {
    while ((getline line < "src/LAYERS") > 0) {
        if (line ~ /^#/ || line == "") continue
        split(line, column, "|")
        room = trim(column[1])
        known[room] = 1
        allowed[room] = " " room " " trim(column[2]) " "
        n = split(trim(column[3]), header, " ")
        for (i = 1; i <= n; i++) owner[header[i]] = room
    }
}
{
    room = $1
    sub(/^src\//, "", room)
    sub(/^include\/lmdepth\//, "", room)
    sub(/[\/.].*/, "", room)
    include = $2
    sub(/^#include [<"]/, "", include)
    if (!(room in known)) { print $1 ": no room " room " in src/LAYERS"; bad = 1; next }
    if (include in owner && owner[include] != room) {
        print $1 ": " include " belongs to room " owner[include]; bad = 1
    }
    if (include ~ /^lmdepth\//) {
        target = include
        sub(/^lmdepth\//, "", target)
        sub(/[\/.].*/, "", target)
        if (index(allowed[room], " " target " ") == 0) {
            print $1 ": room " room " may not include room " target; bad = 1
        }
    }
}
END { exit bad }'
