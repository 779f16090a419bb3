#!/usr/bin/env bash
# Install sketchseek with the oldest version of every run-time dependency that pyproject.toml allows, into a new virtual
# environment, with what its tests need: tools/install_lower_bounds.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv "$1"
"$1/bin/python" -m pip install --quiet uv
# Direct dependencies at their lower bounds; what they need themselves is as new as possible.
"$1/bin/uv" pip compile --quiet --resolution lowest-direct --python "$1/bin/python" pyproject.toml -o "$1/lower-bounds.txt"
"$1/bin/uv" pip install --quiet --python "$1/bin/python" -r "$1/lower-bounds.txt"
"$1/bin/uv" pip install --quiet --python "$1/bin/python" --no-deps --editable .
# Tools for the tests, without raising any of the versions above.
"$1/bin/uv" pip install --quiet --python "$1/bin/python" -c "$1/lower-bounds.txt" \
    pytest pytest-xdist hypothesis httpx psutil onnx pyyaml trustme
"$1/bin/uv" pip freeze --python "$1/bin/python"
