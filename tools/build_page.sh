#!/bin/sh
# Builds src/sketchseek/web/vendor/ from npm: the one part of the page that is not written here. Users need no
# Node: the built files are in the repository and in the wheel. With --check, nothing is written, and it fails where
# the files differ.
set -eu
cd "$(dirname "$0")/../web-build"
vendor=../src/sketchseek/web/vendor

if [ "${1:-}" = "--check" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
else
    out=$vendor
fi

npm ci --ignore-scripts --no-audit --no-fund
mkdir -p "$out"
dist=node_modules/onnxruntime-web/dist
# Without the name of a source map, which is not shipped: the browser's tools would ask for it.
for name in ort.wasm.min.mjs ort-wasm-simd-threaded.mjs; do
    sed '/^\/\/# sourceMappingURL=/d' "$dist/$name" >"$out/$name"
done
# Browsers get it compressed; without name and time, so that the same bytes come out each time.
gzip -9nc "$dist/ort-wasm-simd-threaded.wasm" >"$out/ort-wasm-simd-threaded.wasm.gz"
cp LICENSE-onnxruntime.txt "$out/"
freehand=node_modules/perfect-freehand
sed '/^\/\/# sourceMappingURL=/d' "$freehand/dist/esm/index.mjs" >"$out/perfect-freehand.mjs"
cp "$freehand/LICENSE" "$out/LICENSE-perfect-freehand.txt"
(
    cd "$out"
    # The wasm file's checksum is of its content: gzip's own bytes may change with its version.
    sha256sum ort.wasm.min.mjs ort-wasm-simd-threaded.mjs perfect-freehand.mjs
    printf '%s  ort-wasm-simd-threaded.wasm\n' "$(gzip -dc ort-wasm-simd-threaded.wasm.gz | sha256sum | cut -d' ' -f1)"
) >"$out/SHA256SUMS"

if [ "${1:-}" = "--check" ]; then
    cmp "$out/SHA256SUMS" "$vendor/SHA256SUMS"
    (cd "$vendor" && grep mjs SHA256SUMS | sha256sum --check --quiet)
    echo "The vendor files are those of web-build/package-lock.json."
fi
