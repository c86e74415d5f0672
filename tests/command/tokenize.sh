#!/bin/sh
# lmdepth tokenize: a record a line, BOS rules, JSON strings, bad lines.
. tests/lib.sh

ids() { # ids TEXT ARGUMENT...: what tokenize prints for the text
    text=$1
    shift
    printf '%b' "$text" | "$LMDEPTH" tokenize "$TINY" "$@" 2>"$SCRATCH/err"
}
same "97 98" "$(ids 'ab\n')"
same "97 98" "$(ids 'ab')"
same "97
98" "$(ids 'a\r\nb\n')"
same "256 97" "$(ids 'a\n' --bos always)"
same "97" "$(ids 'a\n' --bos never)"
same "" "$(ids '\n' --bos never)"
same "97 257 98" "$(ids 'a<end>b\n')"
same "97 10 98" "$(ids '"a\\nb"\n' --json)"
same "195 188" "$(ids 'ü\n')"
if ids 'a\n\377\n' >/dev/null; then fail "bad UTF-8 was read"; fi
printf 'a\n\377\n' >"$SCRATCH/bad"
"$LMDEPTH" tokenize "$TINY" <"$SCRATCH/bad" >"$SCRATCH/out" 2>"$SCRATCH/err"
same 3 $?
says "line 2"
printf '"a"\n5\n' | "$LMDEPTH" tokenize "$TINY" --json >"$SCRATCH/out" 2>"$SCRATCH/err"
same 3 $?
says "line 2"
# add_bos_token decides where it is given.
cp -r "$TINY" "$SCRATCH/adds"
echo '{"bos_token": {"content": "<bos>"}, "add_bos_token": true}' >"$SCRATCH/adds/tokenizer_config.json"
same "256 97" "$(echo a | "$LMDEPTH" tokenize "$SCRATCH/adds")"
# Without any BOS, `always` is a mistake.
cp -r "$TINY" "$SCRATCH/none"
rm "$SCRATCH/none/tokenizer_config.json"
sed -i 's/"bos_token_id": [0-9]*,//' "$SCRATCH/none/config.json"
expect 2 "$LMDEPTH" tokenize "$SCRATCH/none" --bos always
says "BOS"
# The vocabulary as text; bytes that are no character by themselves are written out.
expect 0 "$LMDEPTH" tokenize --pieces "$TINY"
same '97	"a"' "$(sed -n '98p' "$SCRATCH/out")"
same '195	"\\xC3"' "$(sed -n '196p' "$SCRATCH/out")"
same '257	"<end>"' "$(sed -n '258p' "$SCRATCH/out")"
exit 0
