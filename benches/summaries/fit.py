"""Fit the weights of src/summary.rs: which sentences share most words with a summary that a person wrote?

    python fit.py --train talks-train/articles.jsonl --dev talks-hard-dev.jsonl

A sentence is a good one when a greedy search for the best ROUGE-1 + ROUGE-2 takes it; a logistic regression learns to tell. The
evidence logits come from the shipped model through models/stance-en-small/training (its requirements are needed). The dev
articles are only measured. Sentences are taken up to three and 45 words, without the rules of src/summary/context.rs:
`tidings eval FILE --summaries` measures the whole.
"""

import argparse
import collections
import json
import math
import pathlib
import random
import re
import sys

import torch

TRAINING = pathlib.Path(__file__).parents[2] / "models/stance-en-small/training"
sys.path.insert(0, str(TRAINING))
from evaluate import predict  # noqa: E402
from quantise import load_quantised  # noqa: E402
from text import PlainTokenizer, split_sentences  # noqa: E402

STOP = set(
    """a about after all also an and any are as at be been before being both but by can could did do does each for from had has
    have he her his how if in into is it its just may might more most must my new no not of off on one only or our out over own
    said say says she should some spoke such than that the their them then there these they this those to told too under until up
    was we were what when where whether which while who whom whose why will with without would you""".split()
)
DATES = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow|tonight|yesterday|week|month|\d\w*"
    r"|(?-i:January|February|March|April|May|June|July|August|September|October|November|December))\b",
    re.I,
)
FEATURES = ["evidence", "early", "title", "claim", "date"]


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def stems(text):
    return {w[:5] for w in words(text) if w not in STOP and len(w) > 1}


def rouge(text, reference, n):
    grams = [collections.Counter(zip(*(words(t)[i:] for i in range(n)))) for t in (text, reference)]
    common = sum((grams[0] & grams[1]).values())
    return 2 * common / max(1, sum(map(lambda g: sum(g.values()), grams)))


def good(sentences, reference, most=3):
    """Numbers of the sentences that a greedy search takes."""
    taken, best = set(), 0.0
    while len(taken) < most:
        scored = []
        for i in set(range(len(sentences))) - taken:
            text = " ".join(sentences[j] for j in sorted(taken | {i}))
            scored.append((rouge(text, reference, 1) + rouge(text, reference, 2), i))
        score, i = max(scored, default=(0, 0))
        if score <= best:
            break
        best = score
        taken.add(i)
    return taken


def features(row):
    title, claim = stems(row["title"] or ""), stems(row["claim"])
    rows = []
    for i, (sentence, logit) in enumerate(zip(row["sentences"], row["logits"])):
        own = stems(sentence)
        rows.append(
            [
                max(-6.0, min(6.0, -6.0 if logit is None else logit)),
                1 / (i + 1),
                len(own & title) / max(1, len(title)),
                len(own & claim) / max(1, len(claim)),
                float(bool(DATES.search(sentence))),
            ]
        )
    return torch.tensor(rows, dtype=torch.double)


def fit(rows, columns):
    x = torch.cat([features(r)[:, columns] for r in rows])
    y = torch.tensor([float(i in g) for r in rows for g in [good(r["sentences"], r["summary"])] for i in range(len(r["sentences"]))])
    y = y.double()
    w = torch.zeros(len(columns) + 1, dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([w], max_iter=200)

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(x @ w[:-1] + w[-1], y) + 1e-3 * (w[:-1] ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    return w.detach()


def measure(rows, columns, w, least=-1.0, most=3, length=45):
    sums = [0.0, 0.0, 0.0]
    for r in rows:
        worth = (features(r)[:, columns] @ w[:-1] + w[-1]).tolist()
        taken, s = [], r["sentences"]
        for i in sorted(range(len(s)), key=lambda i: -worth[i]):
            if len(taken) == most or taken and worth[i] < least:
                break
            if not taken or sum(len(s[j].split()) for j in [*taken, i]) <= length:
                taken.append(i)
        text = " ".join(s[i] for i in sorted(taken))
        for k, x in enumerate([rouge(text, r["summary"], 1), rouge(text, r["summary"], 2), len(text.split()) / 100]):
            sums[k] += x / len(rows)
    return "ROUGE-1 {:.1f}, ROUGE-2 {:.1f}, {:.0f} words".format(*(100 * x for x in sums))


def read(path, model, tok, count, headline):
    rows = [json.loads(line) for line in open(path)]
    if count:
        rows = random.Random(1).sample(rows, count)
    for r in rows:
        r["sentences"] = split_sentences(r["text"])
    asked = [((r["title"] or r["claim"]) if headline else r["claim"], r["title"], r["sentences"]) for r in rows]
    for r, (_, logits) in zip(rows, predict(model, tok, asked)):
        r["logits"] = logits[1:]
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev", required=True)
    parser.add_argument("--count", type=int, default=300, help="training articles, drawn; 0: all")
    args = parser.parse_args()
    model = load_quantised(TRAINING.parent)
    tok = PlainTokenizer(TRAINING.parent / "tokenizer.json")
    read_all = {
        headline: [read(path, model, tok, count, headline) for path, count in ((args.train, args.count), (args.dev, 0))]
        for headline in (False, True)
    }
    for name, headline, names in [
        ("ANSWER", False, FEATURES),
        ("HEADLINE", True, ["evidence", "early", "title", "date"]),
        ("LEAD", False, ["early", "title", "date"]),
    ]:
        columns = [FEATURES.index(n) for n in names]
        train, dev = read_all[headline]
        if name == "ANSWER":  # what is unrelated has no answer
            train, dev = ([r for r in rows if r["label"] != "unrelated"] for rows in (train, dev))
        w = fit(train, columns)
        print(name, ", ".join(f"{n} {x:.2f}" for n, x in zip([*names, "bias"], w.tolist())))
        print("  train:", measure(train, columns, w))
        print("  dev:  ", measure(dev, columns, w), flush=True)


if __name__ == "__main__":
    main()
