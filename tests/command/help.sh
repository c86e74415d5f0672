#!/bin/sh
# Help and version work without MPI and exit 0; wrong usage exits 2 and says what is right.
. tests/lib.sh

expect 0 "$LMDEPTH" --help
prints "run" "check" "tokenize" "Exit codes"
expect 0 "$LMDEPTH" --version
prints "lmdepth $(cat VERSION)"
for command in run check show tokenize count merge compare verify bench; do
    expect 0 "$LMDEPTH" "$command" --help
    prints "Usage:"
done
expect 0 "$LMDEPTH" run --help-job
prints "model.path" "prompts.length" "run.pack_tokens"
expect 2 "$LMDEPTH"
expect 2 "$LMDEPTH" walk
says "no command 'walk'"
expect 2 "$LMDEPTH" run
expect 2 "$LMDEPTH" run --no-such-option x.yaml
expect 2 "$LMDEPTH" run nothing-here.yaml
says "nothing-here.yaml"
expect 2 "$LMDEPTH" compare one.nc
expect 2 "$LMDEPTH" compare no.nc such.nc
says "no.nc"
expect 2 "$LMDEPTH" show nothing-here
says "nothing-here"
expect 2 "$LMDEPTH" tokenize nothing-here
says "nothing-here"
expect 2 "$LMDEPTH" verify nothing-here ref.safetensors
says "nothing-here"
# One help, whatever the number of ranks; data that can't be written is a failure.
expect 0 $MPIRUN -n 3 "$LMDEPTH" run --help
same 1 "$(grep -c 'Usage: lmdepth run' "$SCRATCH/out")"
same 0 "$(grep -c 'run.pack_tokens' "$SCRATCH/out")"
expect 0 $MPIRUN -n 2 "$LMDEPTH" run --help-job
same 1 "$(grep -c "^ *run.pack_tokens " "$SCRATCH/out")"
"$LMDEPTH" run --help-job >/dev/full 2>"$SCRATCH/err"
same 4 $?
"$LMDEPTH" show "$TINY" >/dev/full 2>"$SCRATCH/err"
same 4 $?
# One message, whatever the number of ranks.
expect 2 $MPIRUN -n 3 "$LMDEPTH" run --no-such-option
same 1 "$(grep -c no-such-option "$SCRATCH/err")"
