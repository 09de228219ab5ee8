#!/usr/bin/env bash
# What a GPU does, as two tables: resident (articles/s of whole runs and of the model alone, latency, share of the card's peak), beside
# PyTorch's bf16 with scaled-dot-product attention where PYTHON has torch for CUDA; and end to end, from JSON Lines to JSON Lines; with
# summaries rewritten where `tidings models pull rewriter-en-small` was run before.
#
#   benches/gpu.sh PROGRAM [ARTICLES.jsonl]     PROGRAM is built with --features cuda; without ARTICLES, example articles over and over
#   PYTHON=venv/bin/python benches/gpu.sh …     … with benches/peers/requirements.txt, torch for CUDA
set -euo pipefail
program=$(realpath "$1") articles=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -z "$articles" ]; then
    articles=$folder/articles.jsonl
    "$program" extract --json tests/data/wire tests/data/pages >"$folder/once.jsonl"
    for _ in {1..2000}; do cat "$folder/once.jsonl"; done >"$articles"
fi
peer=()
if [ -n "${PYTHON:-}" ]; then peer=(--interleave --against "'$PYTHON' benches/peers/peer.py torch-bf16-cuda $folder"); fi
echo "## Resident"
"$program" bench --device cuda --articles 4096 --format md "${peer[@]}" "$articles"
printf '\n## End to end, %s articles as JSON Lines\n\n' "$(wc -l <"$articles")"
for trial in 1 2 3; do
    "$program" classify --device cuda --any-language --no-progress "$articles" 2>&1 >"$folder/records.jsonl" | sed "s/^/- run $trial: /"
done
if ! "$program" models list | grep -q '^rewriter-en-small .*not here'; then
    printf '\n## Summaries rewritten by SmolLM2-135M, 2,000 articles\n\n'
    head -2000 "$articles" >"$folder/some.jsonl"
    "$program" classify --device cuda --any-language --no-progress --summary --style rewritten "$folder/some.jsonl" 2>&1 >"$folder/records.jsonl" | sed "s/^/- /"
fi
