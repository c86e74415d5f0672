#!/bin/sh
# The man page on standard output, from docs/lmdepth.1.in: the version, and the table of job keys
# as the program itself prints it.
# Usage: make_man.sh LMDEPTH VERSION
set -eu
here=$(dirname "$0")
keys=$("$1" run --help-job)

# "  key    kind" and "      help" become a tagged paragraph; a backslash or a dot or quote at the
# line's beginning would mean something to troff, and so would a minus sign that is one.
troff_keys() {
    printf '%s\n' "$keys" | awk '
        function clean(text) {
            gsub(/\\/, "\\e", text)
            gsub(/-/, "\\-", text)
            return "\\&" text
        }
        /^      / { sub(/^ +/, ""); help = 1; print clean($0) ".RSTOP"; next }
        {
            sub(/^ +/, "")
            key = $1
            kind = $0
            sub(/^[^ ]+ */, "", kind)
            sub(/ +$/, "", kind)
            print ".TP"
            print ".B " clean(key)
            if (kind != "") print "(" substr(clean(kind), 3) ")"
        }' | sed 's/\.RSTOP$/./'
}

awk -v version="$2" '
    { gsub(/@VERSION@/, version) }
    /^@JOB_KEYS@$/ { while ((getline line < "/dev/fd/3") > 0) print line; next }
    { print }' "$here/../docs/lmdepth.1.in" 3<<EOF
$(troff_keys)
EOF
