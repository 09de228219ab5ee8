#!/usr/bin/env bash
# Tidings and its peers on the same texts, weights and threads, in turns. Further arguments go to `tidings bench`.
#
#   benches/peers/run.sh                                        all cores, our own articles
#   benches/peers/run.sh --threads 1 --export target/peers.json articles/
#
# PYTHON names a Python that has requirements.txt already; without it one is made below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=target/peers
mkdir -p "$folder"
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$folder/venv/bin/python
    [ -x "$PYTHON" ] || python3 -m venv "$folder/venv"
    "$PYTHON" -m pip install --quiet --requirement benches/peers/requirements.txt
fi
cargo build --release --locked
[ -f "$folder/model-int8.onnx" ] && [ "$folder/model-int8.onnx" -nt models/stance-en-small/model.safetensors ] ||
    "$PYTHON" benches/peers/peer.py export "$folder"
against=()
for kind in onnx-int8 onnx-f32 torch-f32 torch-bf16; do
    against+=(--against "'$PYTHON' benches/peers/peer.py $kind $folder")
done
exec target/release/tidings bench --interleave --engine native,reference "${against[@]}" "$@"
