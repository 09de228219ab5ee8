"""Puts the articles of articles.jsonl, families.jsonl and wire.jsonl in the form the program reads, for pairs.py's --extracted.

    python articles.py DIR > articles.in.jsonl
    tidings classify --summary --max-words 60 --format jsonl articles.in.jsonl > extracted.jsonl
"""

import json
import os
import sys


def main():
    def read(name):
        return [json.loads(line) for line in open(os.path.join(sys.argv[1], name))]

    items = [(r["id"], r, r["claim"]) for r in read("articles.jsonl")]
    items += [(f"{r['family']}/{i}", v, r["claims"][0]) for r in read("families.jsonl") for i, v in enumerate(r["versions"])]
    items += [(r["id"], r, r["claims"][0]["claim"]) for r in read("wire.jsonl")]
    for name, r, claim in items:
        print(json.dumps({"id": name, "title": r["title"], "text": r["text"], "claim": claim}))


if __name__ == "__main__":
    main()
