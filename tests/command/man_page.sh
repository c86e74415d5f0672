#!/bin/sh
# The man page knows every command, option, key, exit code and variable that the program knows,
# and troff has nothing to say about it.
. tests/lib.sh

page="$SCRATCH/lmdepth.1"
tools/make_man.sh "$LMDEPTH" "$(cat VERSION)" >"$page" || fail "no page"
grep -q '@[A-Z_]*@' "$page" && fail "a mark was not replaced"

# in_page TEXT: as troff source, where a minus sign is \-.
in_page() {
    grep -qF -e "$(printf '%s' "$1" | sed 's/-/\\-/g')" "$page" || fail "the page lacks '$1'"
}

expect 0 "$LMDEPTH" --help
commands=$(sed -n 's/^  \([a-z]*\)  .*/\1/p' "$SCRATCH/out" | grep -v '^lmdepth$')
[ "$(echo "$commands" | wc -l)" -ge 7 ] || fail "commands: $commands"
for command in $commands; do
    in_page ".B $command"
    in_page "\\fBlmdepth $command\\fR"
    expect 0 "$LMDEPTH" "$command" --help
    options=$(grep -o -e '^ *\(-., \)\?--[a-z-]*' "$SCRATCH/out" | grep -o -e '--[a-z-]*')
    for option in $options; do
        in_page "$option"
    done
done

expect 0 "$LMDEPTH" run --help-job
keys=$(sed -n 's/^  \([a-z][a-z_.]*\) .*/\1/p' "$SCRATCH/out")
[ "$(echo "$keys" | wc -l)" -ge 25 ] || fail "keys: $keys"
for key in $keys; do
    in_page ".B \\&$key"
done
codes=$(sed -n 's/^ *X([A-Z]*, \([0-9]*\), .*/\1/p' include/lmdepth/base/status.h)
[ -n "$codes" ] || fail "no exit codes"
for code in $codes; do
    in_page ".B $code"
done
# Of the launchers and of the shell nobody needs to be told; the last marks a restart.
variables=$(grep -ho 'getenv("[A-Z_0-9]*")\|value_of("[A-Z_]*")\|from_environment("[A-Z_]*")' \
    src/*/*.c | sed 's/.*("\(.*\)")/\1/' | sort -u)
[ -n "$variables" ] || fail "no variables"
for variable in $variables; do
    case $variable in
    HOME | LMDEPTH_CORRECTED_BLAS) ;;
    *) in_page "$variable" ;;
    esac
done

products=$(grep -ho '\.name = "[a-z0-9_]*"' src/kernel/product.c src/kernel/tile_*.c |
    sed 's/.*"\(.*\)"/\1/' | sort -u)
[ "$(echo "$products" | wc -l)" -ge 6 ] || fail "products: $products"
for product in $products; do
    grep -qE "^\.BR? $product( |$)" "$page" || fail "the page lacks LMDEPTH_KERNEL=$product"
done

checked=no
if command -v groff >/dev/null 2>&1; then
    groff -ww -man -Tutf8 "$page" >/dev/null 2>"$SCRATCH/err" || fail "groff fails"
    [ ! -s "$SCRATCH/err" ] || fail "groff warns"
    checked=yes
fi
if command -v man >/dev/null 2>&1; then
    MANWIDTH=80 man --warnings -l "$page" >"$SCRATCH/out" 2>"$SCRATCH/err" || fail "man fails"
    [ ! -s "$SCRATCH/err" ] || fail "man warns"
    prints "run.pack_tokens" "JOB.yaml"
    checked=yes
fi
if command -v mandoc >/dev/null 2>&1; then
    mandoc -T lint -W warning "$page" >"$SCRATCH/out" || fail "mandoc warns"
    checked=yes
fi
if [ "$checked" = no ]; then
    echo "skipped: neither groff nor man nor mandoc is here: the page's layout was not looked at"
fi
