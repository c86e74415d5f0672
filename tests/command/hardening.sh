#!/bin/sh
# The flags that make damage harder to exploit have arrived in the program.
. tests/lib.sh

if ! command -v readelf >/dev/null 2>&1; then
    echo "skipped: no readelf"
    exit 77
fi
if ! grep -q -e -fstack-protector-strong "$BUILD/.flags"; then
    echo "skipped: built with HARDEN=0"
    exit 77
fi
expect 0 readelf -W -h -l -d "$LMDEPTH"
prints "DYN (Position-Independent" "GNU_RELRO" "BIND_NOW"
grep "GNU_STACK" "$SCRATCH/out" | grep -q "RWE" && fail "the stack can be executed"
expect 0 readelf -W -s "$LMDEPTH"
prints "__stack_chk_fail"
if grep -q -e -D_FORTIFY_SOURCE=3 "$BUILD/.flags"; then
    prints "__snprintf_chk" "__vsnprintf_chk"
else
    echo "skipped: sanitizers or -O0, so no _FORTIFY_SOURCE"
fi
