"""Text to model input: tokens, sentences, windows. The Rust code does the same, with a better splitter."""

import json
import re

from tokenizers import Tokenizer

ABBREVIATIONS = set(
    """mr mrs ms dr prof gen col lt maj capt sgt adm gov sen rep rev hon pres st sr jr vs etc inc ltd corp co bros nos
    jan feb mar apr jun jul aug sept sep oct nov dec mon tue tues wed thu thur thurs fri sat sun fig al approx dept est min
    u.s u.k u.n u.s.a e.u d.c a.m p.m i.e e.g ph.d cf viz messrs""".split()
)
CAN_END = set("u.s u.k u.n u.s.a e.u d.c a.m p.m inc ltd corp co bros etc jr sr jan feb aug sept sep oct nov dec".split())
STARTERS = set("the he she it in but a an they we on at and this that these his her its their officials there".split())
BOUNDARY = re.compile(r"([.!?…]+[\"'”’)\]]*)(\s+)(?=[\"'“‘(\[]*[A-Z0-9À-Ý])")


def split_line(line):
    """Sentences of one paragraph: a full stop ends one unless it belongs to an abbreviation or an initial."""
    out, start = [], 0
    for m in BOUNDARY.finditer(line):
        before = line[start : m.start(1)]
        word = before.rsplit(None, 1)[-1].lower().strip("\"'“”‘’()[]") if before.strip() else ""
        if m.group(1).startswith(".") and not m.group(1).startswith(".."):
            following = re.split(r"\W+", line[m.end(2) :].lstrip("\"'“‘("), maxsplit=1)[0].lower()
            if word in CAN_END and following in STARTERS:
                pass
            elif word == "no" and following.isdigit():
                continue
            elif word in ABBREVIATIONS or re.fullmatch(r"[a-z]|([a-z]\.)+[a-z]", word):
                continue
        piece = line[start : m.end(1)].strip()
        if piece:
            out.append(piece)
        start = m.end(2)
    if line[start:].strip():
        out.append(line[start:].strip())
    return out


def split_sentences(text):
    """Every line is a paragraph or a heading of its own; sentences never cross lines."""
    return [s for line in text.splitlines() if line.strip() for s in split_line(line.strip())]


class PlainTokenizer:
    """The base model's WordPiece, except that text is only text: '[SEP]' in an article is five letters and brackets."""

    def __init__(self, path):
        data = json.load(open(path))
        data["truncation"] = data["padding"] = data["post_processor"] = None
        special = {t["content"]: t["id"] for t in data["added_tokens"]}
        self.cls, self.sep = special["[CLS]"], special["[SEP]"]
        data["added_tokens"] = []
        self.tokenizer = Tokenizer.from_str(json.dumps(data))
        self.cache = {}

    def __call__(self, text):
        ids = self.cache.get(text)
        if ids is None:
            ids = self.cache[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def windows(tok, claim, title, sentences, window=256, claim_max=64, title_max=48):
    """The windows of one (claim, article) pair and, for every span, its number among [title] + sentences.

    A window is a dict of `ids`, `types` and `spans` (token ranges). The number is 0 for the title, i + 1 for sentence i.
    """
    c = tok(claim)[:claim_max]
    t = tok(title)[:title_max] if title else []
    head = [tok.cls, *c, tok.sep]
    zeros = len(head)
    title_at = len(head)
    if t:
        head = head + t + [tok.sep]
    room = window - len(head) - 1
    out, origin = [], []

    def close(body, spans):
        first = not out
        ids = head + body + ([tok.sep] if body or not t else [])
        if first and t:
            spans = [(title_at, title_at + len(t)), *spans]
        out.append(dict(ids=ids, types=[0] * zeros + [1] * (len(ids) - zeros), spans=spans))

    body, spans = [], []
    if t:
        origin.append(0)
    for i, sentence in enumerate(sentences):
        ids = tok(sentence)
        for k in range(0, len(ids), room):
            piece = ids[k : k + room]
            if len(body) + len(piece) > room:
                close(body, spans)
                body, spans = [], []
            start = len(head) + len(body)
            spans.append((start, start + len(piece)))
            origin.append(i + 1)
            body = body + piece
    if body or not out:
        close(body, spans)
    return out, origin
