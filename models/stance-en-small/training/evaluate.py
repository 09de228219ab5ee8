"""Measure a model on labelled files: accuracy, macro F1, per class, confusion, bootstrap intervals, evidence.

    python evaluate.py --folder .. --real talks-real-dev.jsonl --hard talks-hard-dev.jsonl

The figures come from the shipped file through its 8-bit arithmetic (--float: dequantised, float32).
"""

import argparse
import json
import random

import torch

from data import DEFAULT, GUIDE, gold_marks, read_jsonl
from model import LABELS, StanceModel, pack
from text import PlainTokenizer, split_sentences, windows


def predict(model, tok, pairs, dtype=torch.float32, budget=4096, width=256):
    """(stance logits, evidence logits) of every (claim, title, sentences), in order. Evidence per [title] + sentence;
    of a sentence cut into pieces the highest, None without a span."""
    prepared = [windows(tok, *p) for p in pairs]
    order = sorted(range(len(pairs)), key=lambda i: sum(len(w["ids"]) for w in prepared[i][0]))
    out = [None] * len(pairs)
    batch, used = [], 0
    model.eval()
    device = next(model.parameters()).device

    def run():
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            e, s = model(pack([prepared[i][0] for i in batch], width, device=device), dtype=dtype)
        for row, i in enumerate(batch):
            scores = [None] * (1 + len(pairs[i][2]))
            for k, at in enumerate(prepared[i][1]):
                v = e[row, k].item()
                scores[at] = v if scores[at] is None else max(v, scores[at])
            out[i] = (s[row].float().tolist(), scores)

    for i in order:
        n = sum(len(w["ids"]) for w in prepared[i][0])
        if batch and used + n > budget:
            run()
            batch, used = [], 0
        batch.append(i)
        used += n
    if batch:
        run()
    return out


def confusion(gold, guess):
    m = [[0] * 4 for _ in range(4)]
    for g, p in zip(gold, guess, strict=True):
        m[g][p] += 1
    return m


def scores(m):
    """accuracy, macro F1 and per class (precision, recall, F1). A class neither present nor predicted counts as 0."""
    per = []
    for k in range(4):
        tp, guessed, there = m[k][k], sum(r[k] for r in m), sum(m[k])
        p, r = tp / guessed if guessed else 0.0, tp / there if there else 0.0
        per.append((p, r, 2 * p * r / (p + r) if p + r else 0.0))
    total = sum(map(sum, m))
    return sum(m[k][k] for k in range(4)) / total, sum(x[2] for x in per) / 4, per


def interval(gold, guess, rounds=2000, seed=0):
    """Bootstrap 95% interval of macro F1."""
    rng = random.Random(seed)
    pairs = list(zip(gold, guess, strict=True))
    values = sorted(scores(confusion(*zip(*rng.choices(pairs, k=len(pairs)), strict=True)))[1] for _ in range(rounds))
    return values[int(0.025 * rounds)], values[int(0.975 * rounds)]


def evidence_hit(articles, answers, top=2):
    """Share of decided articles with a gold sentence among the `top` best units."""
    hits = total = 0
    for r, (_, e) in zip(articles, answers, strict=True):
        if r["label"] == "unrelated" or not r.get("evidence"):
            continue
        marks = gold_marks([r["title"] or "", *split_sentences(r["text"])], r["evidence"])
        best = sorted((i for i, v in enumerate(e) if v is not None), key=lambda i: -e[i])[:top]
        hits += any(marks[i] for i in best)
        total += 1
    return hits / total if total else None


def tasks(real=None, hard=None, seeds=None):
    """name -> list of (record, claim, label number)."""
    out = {}
    if real:
        rows = read_jsonl(real)
        out["real, own claim"] = [(r, r["claim"], GUIDE[r["label"]]) for r in rows]
        out["real, default claim"] = [(r, DEFAULT, GUIDE[r["default_label"]]) for r in rows if r["default_label"]]
    if hard:
        rows = read_jsonl(hard)
        out["hard, main claim"] = [(r, r["claim"], GUIDE[r["label"]]) for r in rows]
        out["hard, default claim"] = [(r, DEFAULT, GUIDE[r["default_label"]]) for r in rows if r["default_label"]]
        out["hard, all claims"] = [
            (r, c, GUIDE[x]) for r in rows for c, x in [(r["claim"], r["label"])] + [(c["claim"], c["label"]) for c in r["claims"]]
        ]
    if seeds:
        rows = read_jsonl(seeds)
        out["seeds, own claim"] = [(r, r["claim"], GUIDE[r["label"]]) for r in rows]
        out["seeds, default claim"] = [(r, DEFAULT, GUIDE[r["label"]]) for r in rows]
    return out


def measure(model, tok, todo, dtype=torch.float32):
    """name -> dict of figures, with the raw answers."""
    out = {}
    for name, items in todo.items():
        split = [split_sentences(r["text"]) for r, _, _ in items]
        answers = predict(model, tok, [(c, r["title"], s) for (r, c, _), s in zip(items, split, strict=True)], dtype)
        gold = [g for _, _, g in items]
        guess = [max(range(4), key=lambda k: a[0][k]) for a in answers]
        m = confusion(gold, guess)
        acc, f1, per = scores(m)
        out[name] = dict(n=len(gold), accuracy=acc, macro_f1=f1, per_class=per, confusion=m, gold=gold, guess=guess, answers=answers)
        if name.endswith("main claim"):
            out[name]["evidence_top2"] = evidence_hit([r for r, _, _ in items], answers)
    return out


def show(name, r):
    lo, hi = interval(r["gold"], r["guess"])
    print(f"\n{name}: n {r['n']}, accuracy {r['accuracy']:.3f}, macro F1 {r['macro_f1']:.3f} [{lo:.3f}, {hi:.3f}]")
    if r.get("evidence_top2") is not None:
        print(f"gold evidence among the top two: {r['evidence_top2']:.3f}")
    print("             precision recall F1     gold \\ said " + " ".join(f"{x[:9]:>9}" for x in LABELS))
    for k, label in enumerate(LABELS):
        p, rec, f = r["per_class"][k]
        print(f"{label:>12} {p:9.3f} {rec:6.3f} {f:.3f}" + " " * 18 + " ".join(f"{x:9d}" for x in r["confusion"][k]))


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--folder", default="..")
    a.add_argument("--checkpoint", help="measure a training checkpoint in float32 instead of the int8 file")
    a.add_argument("--float", action="store_true", help="dequantised weights, float32 arithmetic")
    a.add_argument("--agreement", action="store_true", help="share of labels on which int8 and float32 agree")
    a.add_argument("--real")
    a.add_argument("--hard")
    a.add_argument("--seeds", help="jsonl with claim, title, text, label")
    a.add_argument("--errors", action="store_true", help="list every error")
    a.add_argument("--threads", type=int, default=2)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    from quantise import load_quantised

    tok = PlainTokenizer(f"{a.folder}/tokenizer.json")
    if a.checkpoint:
        model = StanceModel(json.load(open(f"{a.folder}/config.json")))
        model.load_state_dict(torch.load(a.checkpoint, map_location="cpu")["model"])
        model.eval()
    else:
        model = load_quantised(a.folder, int8=not a.float)
    todo = tasks(a.real, a.hard, a.seeds)
    figures = measure(model, tok, todo)
    for name, r in figures.items():
        show(name, r)
        if a.errors or name.startswith("seeds"):
            for (rec, claim, g), p, (logits, e) in zip(todo[name], r["guess"], r["answers"], strict=True):
                if g != p or name.startswith("seeds"):
                    units = [rec["title"] or "", *split_sentences(rec["text"])]
                    best = max((i for i, v in enumerate(e) if v is not None), key=lambda i: e[i])
                    probs = torch.tensor(logits).softmax(0).tolist()
                    print(f"- {rec['id']} gold {LABELS[g]} said {LABELS[p]} {[round(x, 2) for x in probs]} | {claim} | {units[best]}")
    if a.agreement:
        other = measure(load_quantised(a.folder, int8=False), tok, todo)
        pairs = [(x, y) for n in figures for x, y in zip(figures[n]["guess"], other[n]["guess"], strict=True)]
        print(f"\nint8 and float32 agree on {sum(x == y for x, y in pairs)} of {len(pairs)} labels")


if __name__ == "__main__":
    main()
