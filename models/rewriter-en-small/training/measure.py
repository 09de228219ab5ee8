"""Rewrites the program's extractions of 50 labelled articles and applies the rules of checks.py to what comes out.

    python measure.py --gguf MODEL.gguf --adapter adapter --articles talks-hard-dev.jsonl --tidings target/release/tidings --out outputs.jsonl

Whether an output is true only a reader can tell. A file of judgements (lines {"id", "judgement": "true" | "untrue", "why"}) made of an
earlier run's outputs joins them with --judged, and the table counts them; an output that has changed since then is not counted.
"""

import argparse
import json
import random
import subprocess
import tempfile
import time

import torch

from checks import covered, faults, ordered, speaker
from lora import Prompt, generate, load, load_adapter


def table(rows):
    """Counts over all outputs and over those that the rules let pass."""
    size = lambda t: len(t.split())
    strict = lambda r: speaker(r["source"], r["output"]) and ordered(r["source"], r["output"])
    out = []
    for name, part in (("all", rows), ("pass the rules", [r for r in rows if not r["faults"]]),
                       ("pass, every word covered", [r for r in rows if not r["faults"] and r["covered"] == 1]),
                       ("pass and shorter", [r for r in rows if not r["faults"] and not r["copied"] and size(r["output"]) < size(r["source"])]),
                       ("pass with speaker and order", [r for r in rows if not r["faults"] and strict(r)]),
                       ("pass with speaker and order, and shorter", [r for r in rows if not r["faults"] and strict(r) and size(r["output"]) < size(r["source"])])):
        n = max(1, len(part))
        judged = [r for r in part if r.get("judgement")]
        out.append(f"{name}: {len(part)}; true {sum(r['judgement'] == 'true' for r in judged)}, untrue {sum(r['judgement'] == 'untrue' for r in judged)} of {len(judged)} judged; "
                   f"copied {sum(r['copied'] for r in part)}; not fluent {sum(r.get('fluent') is False for r in part)}; "
                   f"words {sum(size(r['source']) for r in part) / n:.1f} -> {sum(size(r['output']) for r in part) / n:.1f}")
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--gguf", required=True)
    p.add_argument("--adapter", help="none: the model untrained")
    p.add_argument("--articles", required=True, help="lines with id, title, text, claim, label")
    p.add_argument("--tidings", required=True, help="the program")
    p.add_argument("--out", required=True)
    p.add_argument("--judged", help="judgements of these outputs by a reader")
    p.add_argument("--number", type=int, default=50)
    p.add_argument("--skip-seed", type=int, help="draw with this seed from the articles that the usual draw leaves out")
    p.add_argument("--max-words", type=int, default=60)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--again", action="store_true", help="no model: read --out and print the table again")
    a = p.parse_args()

    if a.again:
        rows = [json.loads(line) for line in open(a.out)]
    else:
        torch.set_num_threads(a.threads)
        related = [r for r in map(json.loads, open(a.articles)) if r["label"] != "unrelated"]
        random.seed(5)
        drawn = random.sample(related, min(a.number, len(related)))
        if a.skip_seed is not None:
            ids = {r["id"] for r in drawn}
            random.seed(a.skip_seed)
            drawn = random.sample([r for r in related if r["id"] not in ids], min(a.number, len(related) - len(ids)))
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
            for r in drawn:
                f.write(json.dumps({k: r[k] for k in ("id", "title", "text", "claim")}) + "\n")
            f.flush()
            answer = subprocess.run([a.tidings, "classify", "--summary", "--max-words", str(a.max_words), "--format", "jsonl", f.name],
                                    capture_output=True, text=True, check=True).stdout
        model, tokenizer = load(a.gguf)
        if a.adapter:
            load_adapter(model, a.adapter)
        prompt, rows, began = Prompt(tokenizer), [], time.time()
        with open(a.out, "w") as f:
            for r in map(json.loads, answer.splitlines()):
                source = " ".join(s["text"] for s in r["summary"]["sentences"])
                output = generate(model, tokenizer, prompt, source)
                rows.append({"id": r["id"], "source": source, "output": output, "faults": faults(source, output),
                             "covered": round(covered(source, output), 3), "copied": output == source})
                f.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
                f.flush()
        print(f"{len(rows)} outputs in {time.time() - began:.0f} s")
    if a.judged:
        judged = {j["id"]: j for j in map(json.loads, open(a.judged))}
        for r in rows:
            j = judged.get(r["id"])
            if j and j.get("output", r["output"]) == r["output"]:
                r.update({k: j[k] for k in ("judgement", "fluent", "why") if k in j})
        with open(a.out, "w") as f:
            for r in rows:
                f.write(json.dumps(r, ensure_ascii=False) + "\n")
    for r in rows:
        r["faults"], r["covered"] = faults(r["source"], r["output"]), round(covered(r["source"], r["output"]), 3)
    print(table(rows))


if __name__ == "__main__":
    main()
