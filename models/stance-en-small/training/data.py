"""Training examples: what is read from the data files, and how it is varied.

An example is a dict: `claim`, `title` (or ""), `sentences`, `label` (0 to 3, or None for an
RTE "not entailed"), `gold` (one 0/1 per entry of [title] + sentences, or None where unknown).
"""

import json
import random
import re
import zlib

from model import LABELS
from text import split_sentences

GUIDE = {"imminent": 0, "not-imminent": 1, "uncertain": 2, "unrelated": 3}
SWAP = {0: 1, 1: 0, 2: 2, 3: 3}
DEFAULT = "Talks are imminent."


def read_jsonl(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def words(text):
    return re.findall(r"\w+", text.lower())


def gold_marks(units, evidence):
    """Which units (title, sentences) are the evidence: same words, one inside the other, or nearly the same words."""
    gold = [words(e) for e in evidence]
    marks = []
    for unit in units:
        u = words(unit)
        hit = 0
        for g in gold:
            short, long = sorted((u, g), key=len)
            if not short:
                continue
            inside = len(short) >= 4 and f" {' '.join(short)} " in f" {' '.join(long)} "
            a, b = set(u), set(g)
            if u == g or inside or len(a & b) >= 0.7 * len(a | b):
                hit = 1
        marks.append(hit)
    return marks


class Article:
    """One article with its claims: (claim, label, kind); kind is main, default or other."""

    def __init__(self, title, text, evidence=()):
        self.title = title or ""
        self.sentences = split_sentences(text)
        self.words = set(words(self.title + " " + text))
        self.evidence = list(evidence)
        self.marks = gold_marks([self.title, *self.sentences], self.evidence)
        self.claims = []

    def add(self, claim, label, known):
        """`known`: whether the article's evidence is the evidence for this claim too."""
        if label == 3:
            gold = [0] * len(self.marks)
        else:
            gold = self.marks if known and any(self.marks) else None
        self.claims.append((claim, label, gold))


PARTY = re.compile(r"^([A-Z][\w'’\- ]*?\b)?(talks|negotiations|meeting|summit|discussions) between (.+) are imminent\.$", re.I)


def from_articles(path):
    out = []
    for r in read_jsonl(path):
        a = Article(r["title"], r["text"], r["evidence"])
        label = GUIDE[r["label"]]
        a.add(r["claim"], label, True)
        for c in r["claims"]:
            a.add(c["claim"], GUIDE[c["label"]], False)
        if r["default_label"]:
            d = GUIDE[r["default_label"]]
            a.add(DEFAULT, d, d == label)
        out.append(a)
    return out


def from_families(path):
    out = []
    for r in read_jsonl(path):
        first = [GUIDE[v["labels"][0]] for v in r["versions"]]
        for v in r["versions"]:
            a = Article(v["title"], v["text"], v["evidence"])
            labels = [GUIDE[x] for x in v["labels"]]
            for k, claim in enumerate(r["claims"]):
                column = [GUIDE[x["labels"][k]] for x in r["versions"]]
                same = column == first or column == [SWAP[x] for x in first]
                a.add(claim, labels[k], same)
            if re.match(r"Talks between .+ are imminent\.$", r["claims"][0]):
                a.add(DEFAULT, labels[0], True)
            out.append(a)
    return out


def from_wire(path):
    out = []
    for r in read_jsonl(path):
        a = Article(r["title"], r["text"], r["evidence"])
        first = GUIDE[r["claims"][0]["label"]]
        for k, c in enumerate(r["claims"]):
            label = GUIDE[c["label"]]
            a.add(c["claim"], label, k == 0 or (k == 1 and label == first))
        out.append(a)
    return out


def from_extra(path):
    """Articles of the same fields as wire.jsonl, each claim with `same`: whether the evidence is its own too."""
    out = []
    for r in read_jsonl(path):
        a = Article(r["title"], r["text"], r["evidence"])
        for c in r["claims"]:
            a.add(c["claim"], GUIDE[c["label"]], c.get("same", False))
        out.append(a)
    return out


def held_out(key):
    """Whether a document is kept apart, for calibration: about one in 20, by its id; never trained on."""
    return zlib.crc32(str(key).encode()) % 20 == 0


def from_fnc(folder, rng, counts):
    """Headline as claim, body as article (no title); `counts` examples of each label. Bodies kept apart are left out."""
    left_out = set(json.load(open(f"{folder}/leave_out.json"))["train_bodies_to_leave_out"])
    bodies = {r["body_id"]: r["text"] for r in read_jsonl(f"{folder}/train_bodies.jsonl") if r["body_id"] not in left_out and not held_out(f"fnc {r['body_id']}")}
    names = {"agree": 0, "disagree": 1, "discuss": 2, "unrelated": 3}
    by = {k: [] for k in range(4)}
    for r in read_jsonl(f"{folder}/train_stances.jsonl"):
        if r["body_id"] in bodies:
            by[names[r["stance"]]].append(r)
    out, split = [], {}
    for label, want in enumerate(counts):
        rows = by[label]
        rng.shuffle(rows)
        for r in rows[:want]:
            if r["body_id"] not in split:
                split[r["body_id"]] = split_sentences(bodies[r["body_id"]])
            out.append(dict(claim=r["claim"], title="", sentences=split[r["body_id"]][:14], label=label, gold=None))
    return out


def from_rte(path):
    out = []
    for r in read_jsonl(path):
        out.append(dict(claim=r["hypothesis"], title="", sentences=split_sentences(r["premise"]),
                        label=0 if r["entails"] else None, gold=None))
    return out


# ---- variation ---------------------------------------------------------------------------------

SAME = [
    "{P} are about to hold talks{T}.", "{P} will hold talks{T} soon.", "{P} will meet for talks{T} soon.",
    "{P} are set to meet{T}.", "A meeting between {P}{T} is imminent.", "Negotiations between {P}{T} are about to begin.",
    "{P} will begin negotiations{T} within days.", "Negotiations between {P}{T} are imminent.",
    "Discussions between {P}{T} will take place shortly.", "{P} are going to sit down together{T} in the coming days.",
    "{K} between {P}{T} are imminent.", "{K} between {P}{T} are about to start.", "{K} between {P}{T} will take place soon.",
    "Soon {P} will be at the negotiating table{T}.", "{K} between {P}{T} are going ahead.",
]
NOT = [
    "There will be no talks between {P}{T}.", "{P} will not hold talks{T} soon.", "No talks between {P}{T} are planned.",
    "{K} between {P}{T} are not imminent.", "{P} are not about to meet{T}.", "{P} will not meet for talks{T} soon.",
    "It is not true that {k} between {P}{T} are imminent.", "{K} between {P}{T} are off.",
    "{P} have no meeting coming up{T}.", "No negotiations between {P}{T} are about to begin.",
    "{K} between {P}{T} are not going to happen soon.", "A meeting between {P}{T} is not imminent.",
]
DEFAULT_SAME = ["Talks are imminent."] * 14 + [
    "The talks are imminent.", "Negotiations are imminent.", "The two sides are about to meet.", "Talks will begin soon.",
    "A meeting for talks is imminent.", "The talks are about to take place.",
]
DEFAULT_NOT = [
    "Talks are not imminent.", "No talks are imminent.", "There will be no talks.", "No talks are planned.",
    "Talks are off.", "The two sides are not about to meet.", "It is not true that talks are imminent.",
]


def parties(claim):
    """(kind, parties, rest) of a claim `Talks between X and Y [on Z] are imminent.`, or None."""
    m = PARTY.match(claim)
    if not m:
        return None
    kind = ((m.group(1) or "") + m.group(2)).strip()
    who, rest = m.group(3), ""
    cut = re.search(r" (on|over|about|for a|regarding) ", who)
    if cut and " and " in who[: cut.start()]:
        who, rest = who[: cut.start()], who[cut.start() :]
    if " and " not in who or not kind.lower().endswith(("talks", "negotiations", "discussions")):
        return None
    return kind, who, rest


def reword(claim, label, rng):
    """Another way to say the claim, perhaps negated (label swapped); the claim itself where no template fits."""
    if claim == DEFAULT:
        if rng.random() < 0.15:
            return rng.choice(DEFAULT_NOT), SWAP[label]
        return rng.choice(DEFAULT_SAME), label
    p = parties(claim)
    if not p or rng.random() < 0.45:
        return claim, label
    kind, who, rest = p
    negate = rng.random() < 0.4
    form = rng.choice(NOT if negate else SAME)
    upper = who[0].upper() + who[1:]
    text = form.format(P=upper if form.startswith("{P}") else who, T=rest, K=kind[0].upper() + kind[1:],
                       k=kind if kind[:2].isupper() or not kind.startswith(("Talks", "Peace", "Trade")) else kind[0].lower() + kind[1:])
    return text, SWAP[label] if negate else label


CITIES = """BERLIN PARIS LONDON CAIRO NAIROBI GENEVA BRUSSELS TOKYO SEOUL BEIJING MOSCOW KIEV ANKARA ISTANBUL BAGHDAD JERUSALEM GAZA
WASHINGTON OTTAWA MADRID ROME VIENNA KABUL ISLAMABAD DELHI COLOMBO KHARTOUM ABUJA LAGOS LIMA BOGOTA CARACAS HAVANA JAKARTA MANILA
SYDNEY ATHENS NICOSIA BELGRADE PRISTINA TBILISI YEREVAN BAKU TEHRAN RIYADH DOHA AMMAN BEIRUT DAMASCUS TUNIS ALGIERS TRIPOLI HARARE
PRETORIA KINSHASA KIGALI ABIDJAN DAKAR CHICAGO DETROIT FRANKFURT ZURICH STOCKHOLM OSLO HELSINKI WARSAW PRAGUE BUDAPEST""".split()
AGENCIES = ["(Reuters)", "(AP)", "(AFP)", "(Xinhua)", "(UPI)", "(Bloomberg)", "(dpa)", "(CP)"]
MONTHS = "Jan. Feb. March April May June July Aug. Sept. Oct. Nov. Dec.".split()
STARTS = ["", "Reuters - ", "AP - ", "AFP - ", "Canadian Press - ", "USATODAY.com - ", "Bloomberg - "]


def dateline(sentence, rng):
    """The sentence with a news agency's dateline before it, replacing one it already has."""
    bare = re.sub(r"^[A-Z][A-Z ,.'-]{3,40}(, \w+\.? \d+)? [-–—] ", "", sentence)
    city = rng.choice(CITIES)
    city = rng.choice([city, city, city.title()])
    form = rng.randrange(5)
    if form == 0:
        return rng.choice(STARTS[1:]) + bare
    if form == 1:
        return f"{city} {rng.choice(AGENCIES)} - {bare}"
    if form == 2:
        return f"{city}, {rng.choice(MONTHS)} {rng.randint(1, 28)} {rng.choice(AGENCIES)} - {bare}"
    if form == 3:
        return f"{city}: {bare}"
    return f"{city} - {bare}"


NOISE = [
    "Advertisement", "Share this article", "Read more", "Related stories", "Sign up for our newsletter", "Photo: file picture",
    "Click here to comment", "All rights reserved.", "Follow us on social media.", "Story continues below",
    "Most popular", "Last updated: 4 hours ago", "Subscribe to get the latest news in your inbox.", "Top stories this week",
]


class Sampler:
    """Turns articles into examples, varied afresh in every epoch."""

    def __init__(self, articles, rng, strength=1.0):
        self.articles = articles
        self.rng = rng
        self.strength = strength
        self.party_claims = [(c, a) for a in articles for c, lab, _ in a.claims[:1] if parties(c)]
        self.fillers = [s for a in articles if len(a.sentences) > 3 for s in self.background(a)]

    @staticmethod
    def background(a):
        """Sentences of an article that decide nothing: used to bury other articles."""
        if not any(a.marks):
            return []
        tail = a.sentences[2:]
        return [s for s, m in zip(tail, a.marks[3:]) if not m and len(s.split()) > 6
                and not re.search(r"\b(talks?|negotiat|meet|summit|dialogue|delegat|discuss)", s, re.I)]

    def foreign_claim(self, a):
        """A claim about parties that the article does not name, often next to one that it names: unrelated."""
        own = a.claims[0][0]
        for _ in range(20):
            claim, _ = self.rng.choice(self.party_claims)
            names = [w.lower() for w in re.findall(r"\b[A-Z][\w’']+", claim)[1:]]
            if not names or any(n.rstrip("s") in a.words or n in a.words for n in names):
                continue
            p, q = parties(own), parties(claim)
            if p and q and a.claims[0][1] != 3 and self.rng.random() < 0.5:
                mine = self.rng.choice(p[1].split(" and ", 1))
                other = q[1].split(" and ", 1)[1]
                if re.search(r"[A-Z]", mine) and re.search(r"[A-Z]", other):
                    pair = [mine, other]
                    self.rng.shuffle(pair)
                    return f"Talks between {pair[0]} and {pair[1]} are imminent."
            return claim
        return None

    def example(self, a, claim, label, gold):
        """One varied example."""
        rng, k = self.rng, self.strength
        claim, label = reword(claim, label, rng)
        title, sentences = a.title, list(a.sentences)
        gold = list(gold) if gold is not None else None
        if title and rng.random() < 0.12 * k and (gold is None or not gold[0] or any(gold[1:])):
            title = ""
        if sentences and rng.random() < 0.25 * k:
            sentences[0] = dateline(sentences[0], rng)
        if title and rng.random() < 0.05 * k:
            title = title.upper()
        if rng.random() < 0.03 * k:  # leftovers of HTML entities
            sentences = [x.replace('"', "quot;").replace("'s", " #39;s").replace("$", "#36;") for x in sentences]
        marks = [0] * len(sentences) if gold is None else gold[1:]
        units = list(zip(sentences, marks, strict=True))
        if rng.random() < 0.12 * k:  # bury in background
            fill = rng.sample(self.fillers, rng.choice((3, 6, 10, 16)))
            cut = rng.choice((0, len(fill) // 2, len(fill)))
            units = [(s, 0) for s in fill[:cut]] + units + [(s, 0) for s in fill[cut:]]
        if rng.random() < 0.06 * k:  # page noise
            for _ in range(rng.randint(1, 4)):
                units.insert(rng.choice((0, len(units))), (rng.choice(NOISE), 0))
        if len(units) > 4 and rng.random() < 0.15 * k:  # drop a sentence that decides nothing
            last = rng.randrange(2, len(units))
            if gold is not None and not units[last][1]:
                del units[last]
        sentences = [s for s, _ in units]
        if gold is not None:
            gold = [gold[0]] + [m for _, m in units]
        return dict(claim=claim, title=title, sentences=sentences, label=label, gold=gold)

    def epoch(self):
        """All claims of all articles once, and a foreign claim for some."""
        out = []
        for a in self.articles:
            for claim, label, gold in a.claims:
                if label == 3 and claim != DEFAULT and self.rng.random() < 0.35:
                    continue
                out.append(self.example(a, claim, label, gold))
            if self.rng.random() < 0.25:
                claim = self.foreign_claim(a)
                if claim:
                    out.append(self.example(a, claim, 3, [0] * len(a.marks)))
        self.rng.shuffle(out)
        return out


def from_rte_talks(path, rte):
    """Our claims and labels for RTE premises that tell of talks; the file names the premise, its text stays in RTE."""
    premise = {(r["file"], r["id"]): r["premise"] for r in read_jsonl(rte)}
    out = []
    for r in read_jsonl(path):
        text = premise[r["file"], r["rte"]]
        a = Article("", text, split_sentences(text)[:1])
        alone = len(a.sentences) == 1
        for c in r["claims"]:
            a.add(c["claim"], GUIDE[c["label"]], alone)
        out.append(a)
    return out


def load_articles(folder, rte, rng=None, share=1.0):
    """Everything of our own that is trained on. With `share` below 1 the last epochs turn to plain news prose:
    only that share of the long articles, and the wire items, the extra items and the RTE premises several times."""
    long = from_articles(f"{folder}/articles.jsonl") + from_families(f"{folder}/families.jsonl")
    wire, extra = from_wire(f"{folder}/wire.jsonl"), from_extra(f"{folder}/extra.jsonl")
    grammar = from_extra(f"{folder}/grammar.jsonl")
    if share == 1.0:
        return long + wire + extra + grammar
    return rng.sample(long, int(share * len(long))) + 2 * wire + 3 * extra + 4 * from_rte_talks(f"{folder}/rte-talks.jsonl", rte) + grammar
