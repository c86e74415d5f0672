#!/bin/sh
# Every check that needs no build. Each prints what is wrong; the exit status is the verdict.
set -u
status=0
check() {
    echo "  lint: $1"
    shift
    "$@" || status=1
}
sources=$(find src include tests bench -name '*.[ch]' | sort)
scripts=$(find tools tests bench slurm .ci -name '*.sh' -o -path '.ci/run' | sort)
check layers tools/check_layers.sh
check functions tools/check_functions.sh
# shellcheck disable=SC2086 # lists of files without spaces
{
    check clang-format clang-format --dry-run -Werror $sources
    check cppcheck cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --suppress=unusedStructMember -Iinclude -D__GNUC__=12 -j 2 src
    check shellcheck shellcheck $scripts
}
check ruff "$VENV/bin/ruff" check --quiet analysis bench tests tools
check "ruff format" "$VENV/bin/ruff" format --check --quiet analysis bench tests tools
[ "$status" -eq 0 ] && echo "lint: all clean"
exit $status
