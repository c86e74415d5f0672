#!/bin/bash
# Adds up the parts of array_parts.sh, once all of them are complete, and removes what they shared.
#   sbatch --dependency=afterok:ARRAY slurm/merge_parts.sh FOLDER RESULT.nc
#SBATCH --job-name=lmdepth-merge
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --time=00:30:00
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -eu
usage="usage: sbatch merge_parts.sh FOLDER RESULT.nc"
folder=${1:?$usage} result=${2:?$usage}

lmdepth=${LMDEPTH:-lmdepth}  # the program
parts=${PARTS:-16}           # as in array_parts.sh

files=()
for ((part = 0; part < parts; part++)); do
    files+=("$folder/part.$part.of.$parts.nc")
done
# A part that is missing is named, and nothing is written.
"$lmdepth" merge "${files[@]}" -o "$result"
rm -rf "$folder/work"
