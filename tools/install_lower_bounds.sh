#!/usr/bin/env bash
# Install sketchseek with the oldest version of every dependency that pyproject.toml allows, into a new virtual
# environment, with what its tests need: tools/install_lower_bounds.sh FOLDER [EXTRA...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet uv
# Direct dependencies at their lower bounds; what they need themselves is as new as possible.
"$folder/bin/uv" pip compile --quiet --resolution lowest-direct --python "$folder/bin/python" "${@/#/--extra=}" \
    pyproject.toml -o "$folder/lower-bounds.txt"
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" -r "$folder/lower-bounds.txt"
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --no-deps --editable .
# Tools for the tests, without raising any of the versions above.
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" -c "$folder/lower-bounds.txt" \
    pytest pytest-xdist hypothesis httpx psutil onnx pyyaml trustme
"$folder/bin/uv" pip freeze --python "$folder/bin/python"
