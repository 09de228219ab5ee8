"""Training examples: what is read from the data files, and how it is varied.

An example is a dict: `claim`, `title` (or ""), `sentences`, `label` (0 to 3, or None for an
RTE "not entailed"), `gold` (per entry of [title] + sentences 1 or 0, -1 where unknown; or None where all are unknown).
"""

import csv
import glob
import importlib.util
import json
import os
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
    """One article with its claims: (claim, label, gold). `kind` is the file that it comes from, `key` its name there."""

    def __init__(self, kind, key, title, text, evidence=()):
        self.kind, self.key = kind, f"{kind} {key}"
        self.title = title or ""
        self.titles = []  # headlines that others gave it; one may stand as its title
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

    def add_marked(self, claim, label, numbers):
        """A claim with its own evidence: the numbers of its sentences."""
        gold = [-1 if label != 3 else 0] + [int(i in numbers) for i in range(len(self.sentences))]
        self.claims.append((claim, label, gold if label == 3 or any(g == 1 for g in gold) else None))
        if not any(self.marks):
            self.marks = [max(g, 0) for g in gold]


PARTY = re.compile(r"^([A-Z][\w'’\- ]*?\b)?(talks|negotiations|meeting|summit|discussions) between (.+) are imminent\.$", re.I)


def from_articles(path):
    out = []
    for r in read_jsonl(path):
        a = Article("articles", r["id"], r["title"], r["text"], r["evidence"])
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
            a = Article("families", r["family"], v["title"], v["text"], v["evidence"])
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
        a = Article("wire", r["id"], r["title"], r["text"], r["evidence"])
        first = GUIDE[r["claims"][0]["label"]]
        for k, c in enumerate(r["claims"]):
            label = GUIDE[c["label"]]
            a.add(c["claim"], label, k == 0 or (k == 1 and label == first))
        out.append(a)
    return out


def from_extra(path, kind):
    """Articles of the same fields as wire.jsonl, each claim with `same`: whether the evidence is its own too."""
    out = []
    for r in read_jsonl(path):
        a = Article(kind, r["id"], r["title"], r["text"], r["evidence"])
        for c in r["claims"]:
            a.add(c["claim"], GUIDE[c["label"]], c.get("same", False))
        out.append(a)
    return out


def held_out(key):
    """Whether a document is kept apart, for calibration: about one in 20, by its id; never trained on."""
    return zlib.crc32(str(key).encode()) % 20 == 0


def fnc_bodies(folder):
    """The bodies that may be trained on or kept apart: all but those that also stand in other held-out sets."""
    left_out = set(json.load(open(f"{folder}/leave_out.json"))["train_bodies_to_leave_out"])
    return {r["body_id"]: r["text"] for r in read_jsonl(f"{folder}/train_bodies.jsonl") if r["body_id"] not in left_out}


def from_fnc(folder, rng, counts):
    """Headline as claim, body as article (no title); `counts` examples of each label. Bodies kept apart are left out."""
    bodies = {k: text for k, text in fnc_bodies(folder).items() if not held_out(f"fnc {k}")}
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
            out.append(dict(claim=r["claim"], title="", sentences=split[r["body_id"]][: rng.randint(5, 13)], label=label, gold=None))
    return out


def from_fnc_labels(path, folder):
    """Our claims, labels and evidence (numbers of sentences) for FNC-1 bodies; the text stays there."""
    bodies, heads, out = fnc_bodies(folder), {}, []
    for r in read_jsonl(f"{folder}/train_stances.jsonl"):
        if r["stance"] == "agree":
            heads.setdefault(r["body_id"], set()).add(r["claim"])
    for r in read_jsonl(path):
        a = Article("fnc", r["body_id"], "", bodies[r["body_id"]])
        a.titles = sorted(heads.get(r["body_id"], ()))
        for c in r["claims"]:
            a.add_marked(c["claim"], GUIDE[c["label"]], c["evidence"])
        out.append(a)
    return out


def from_rte_labels(path, rte):
    """The same for RTE premises. Where a line gives no evidence, the only sentence of a premise is it."""
    premise = {(r["file"], r["id"]): r["premise"] for r in read_jsonl(rte)}
    out = []
    for r in read_jsonl(path):
        text = premise[r["file"], r["rte"]]
        a = Article("rte", text.strip(), "", text, split_sentences(text)[:1])
        for c in r["claims"]:
            if "evidence" in c:
                a.add_marked(c["claim"], GUIDE[c["label"]], c["evidence"])
            else:
                a.add(c["claim"], GUIDE[c["label"]], len(a.sentences) == 1)
        out.append(a)
    return out


def from_lee_labels(path):
    """The same for news items of the Lee corpus (ABC, 2001), which the Python package gensim carries as test data; the text stays there."""
    folder = os.path.join(os.path.dirname(importlib.util.find_spec("gensim").origin), "test", "test_data")
    texts, out = {}, []
    for name in ("lee_background", "lee"):
        with open(f"{folder}/{name}.cor", encoding="latin-1") as f:
            texts |= {f"{name} {n}": line.strip() for n, line in enumerate(f)}
    for r in read_jsonl(path):
        a = Article("lee", r["lee"], "", texts[r["lee"]])
        for c in r["claims"]:
            a.add_marked(c["claim"], GUIDE[c["label"]], c["evidence"])
        out.append(a)
    return out


def ag_clean(text):
    """A field of AG News without what is left of its HTML."""
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("#39;", "'").replace("quot;", '"').replace("\\", " ")
    return " ".join(re.sub(r"<[^>]*>", "", text).split())


def ag_name(title, text):
    """What an item of AG News is named by here: a checksum of its first 80 letters."""
    return f"{zlib.crc32(re.sub('[^a-z]', '', f'{ag_clean(title)}{ag_clean(text)}'.lower())[:80].encode()):08x}"


def from_ag_labels(path, folder, kind):
    """The same for items of AG News' training part (rows of class, title, text), named by `ag_name`; evidence counts from 0, the title."""
    with open(f"{folder}/train.csv", encoding="utf-8", newline="") as f:
        rows = {ag_name(title, text): (ag_clean(title), ag_clean(text)) for _, title, text in csv.reader(f)}
    out = []
    for r in read_jsonl(path):
        a = Article(kind, r["ag"], *rows[r["ag"]])
        a.marks = [int(i in r["evidence"]) for i in range(1 + len(a.sentences))]
        for n, c in enumerate(r["claims"]):
            a.add(c["claim"], GUIDE[c["label"]], n == 0)
        out.append(a)
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
    "Soon {P} will be at the negotiating table{T}.", "{K} between {P}{T} are going ahead.", "{P} are negotiating{T}, or are about to.",
    "It is true that {k} between {P}{T} are imminent.", "{K} between {P}{T} are close at hand.", "{K} between {P}{T} are on the way.",
    "{P} are in talks{T} or soon will be.", "A round of talks between {P}{T} is coming up.", "{K} between {P}{T} are expected within days.",
]
NOT = [
    "There will be no talks between {P}{T}.", "{P} will not hold talks{T} soon.", "No talks between {P}{T} are planned.",
    "{K} between {P}{T} are not imminent.", "{P} are not about to meet{T}.", "{P} will not meet for talks{T} soon.",
    "It is not true that {k} between {P}{T} are imminent.", "{K} between {P}{T} are off.", "{K} between {P}{T} aren't imminent.",
    "{P} have no meeting coming up{T}.", "No negotiations between {P}{T} are about to begin.",
    "{K} between {P}{T} are not going to happen soon.", "A meeting between {P}{T} is not imminent.",
    "It is false that {k} between {P}{T} are imminent.", "It is wrong to say that {k} between {P}{T} are imminent.",
    "It is not the case that {k} between {P}{T} are imminent.", "The claim that {k} between {P}{T} are imminent is false.",
    "{K} between {P}{T} are far from imminent.", "{K} between {P}{T} are nowhere near.", "{K} between {P}{T} are anything but imminent.",
    "{K} between {P}{T} will not take place any time soon.", "{P} are in no talks{T} and none are near.", "No {k} between {P}{T} are imminent.",
    "There are no imminent talks between {P}{T}.", "{K} between {P}{T} are no longer imminent.", "Nobody should expect {k} between {P}{T} soon.",
    "{K} between {P}{T} are a distant prospect.", "{P} have ruled out talks{T} for now.", "{K} between {P}{T} will not begin in the coming days.",
    "{P} are not going to talk to each other{T} in the near future.", "There is no prospect of {k} between {P}{T}.",
    "Reports that {k} between {P}{T} are imminent are untrue.", "{K} between {P}{T} have been called off or were never planned.",
    "There are not going to be any {k} between {P}{T} soon.", "{K} between {P}{T} are unlikely to be held soon.",
]
DEFAULT_SAME = ["Talks are imminent."] * 16 + [
    "The talks are imminent.", "Negotiations are imminent.", "The two sides are about to meet.", "Talks will begin soon.",
    "A meeting for talks is imminent.", "The talks are about to take place.",
]
DEFAULT_NOT = [
    "Talks are not imminent.", "No talks are imminent.", "There will be no talks.", "No talks are planned.",
    "Talks are off.", "The two sides are not about to meet.", "It is not true that talks are imminent.", "It is false that talks are imminent.",
    "Talks are far from imminent.", "There is no prospect of talks.", "Talks will not take place soon.", "It is not the case that talks are imminent.",
]
DENIALS = [
    "It is not true that {c}.", "It is false that {c}.", "It is not the case that {c}.", "It is wrong to say that {c}.", "The claim that {c} is false.",
    "It is untrue that {c}.",
]
VERBS = re.compile(r"\b(is|are|was|were|will|would|should|can|could|must|has|have|had)\b(?! not\b| no\b| never\b|n't)")


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


def lower_first(claim):
    """The claim as it stands inside a sentence: a first word that is no name loses its capital."""
    first = claim.split(None, 1)[0]
    common = {"A", "An", "The", "This", "These", "There", "No", "Nobody", "Talks", "Negotiations", "Meetings", "Both", "Peace", "Trade", "Contract", "Merger"}
    return claim[0].lower() + claim[1:] if first in common else claim


def deny(claim, rng):
    """The claim denied: `not` behind its first verb that takes one, or a sentence round it; None where neither is safe."""
    bare = claim.rstrip(".")
    if re.search(r"\b(not|no|never|nobody|none|neither|nor|nothing|untrue|false)\b|n't", bare, re.I):
        if re.search(r"\b(are|is|will|has|have|was|were|would) not\b", bare) and rng.random() < 0.6:
            return re.sub(r"\b(are|is|will|has|have|was|were|would) not\b", r"\1", bare, count=1) + "."
        return rng.choice(DENIALS).format(c=lower_first(bare))
    if rng.random() < 0.5 and VERBS.search(bare):
        return VERBS.sub(lambda m: m.group(0) + " not", bare, count=1) + "."
    return rng.choice(DENIALS).format(c=lower_first(bare))


def reword(claim, label, rng):
    """Another way to say the claim, perhaps negated (label swapped); often the claim itself."""
    if claim == DEFAULT:
        if rng.random() < 0.15:
            return rng.choice(DEFAULT_NOT), SWAP[label]
        return rng.choice(DEFAULT_SAME), label
    p = parties(claim)
    if not p:
        if rng.random() < 0.12:
            return deny(claim, rng), SWAP[label]
        return claim, label
    if rng.random() < 0.45:
        return claim, label
    kind, who, rest = p
    negate = rng.random() < 0.5
    form = rng.choice(NOT if negate else SAME)
    upper = who[0].upper() + who[1:]
    text = form.format(P=upper if form.startswith("{P}") else who, T=rest, K=kind[0].upper() + kind[1:],
                       k=kind if kind[:2].isupper() or not kind.startswith(("Talks", "Peace", "Trade", "Contract", "Merger", "Negotiations", "Discussions")) else kind[0].lower() + kind[1:])
    return text, SWAP[label] if negate else label


# Country, what belongs to it, capital: changed together, so that names carry no label.
COUNTRIES = [row.split("/") for row in """Norway/Norwegian/Oslo Sweden/Swedish/Stockholm Finland/Finnish/Helsinki Denmark/Danish/Copenhagen
Poland/Polish/Warsaw Hungary/Hungarian/Budapest Romania/Romanian/Bucharest Bulgaria/Bulgarian/Sofia Serbia/Serbian/Belgrade Croatia/Croatian/Zagreb
Greece/Greek/Athens Turkey/Turkish/Ankara Cyprus/Cypriot/Nicosia Spain/Spanish/Madrid Portugal/Portuguese/Lisbon Italy/Italian/Rome France/French/Paris
Germany/German/Berlin Austria/Austrian/Vienna Ireland/Irish/Dublin Britain/British/London Russia/Russian/Moscow Ukraine/Ukrainian/Kiev
Armenia/Armenian/Yerevan Azerbaijan/Azerbaijani/Baku Moldova/Moldovan/Chisinau Iran/Iranian/Tehran Iraq/Iraqi/Baghdad Syria/Syrian/Damascus
Lebanon/Lebanese/Beirut Israel/Israeli/Jerusalem Egypt/Egyptian/Cairo Libya/Libyan/Tripoli Tunisia/Tunisian/Tunis Algeria/Algerian/Algiers
Morocco/Moroccan/Rabat Sudan/Sudanese/Khartoum Ethiopia/Ethiopian/Addis_Ababa Kenya/Kenyan/Nairobi Uganda/Ugandan/Kampala Rwanda/Rwandan/Kigali
Nigeria/Nigerian/Abuja Ghana/Ghanaian/Accra Senegal/Senegalese/Dakar Zambia/Zambian/Lusaka Zimbabwe/Zimbabwean/Harare Angola/Angolan/Luanda
India/Indian/New_Delhi Pakistan/Pakistani/Islamabad Bangladesh/Bangladeshi/Dhaka Nepal/Nepalese/Kathmandu China/Chinese/Beijing Japan/Japanese/Tokyo
Vietnam/Vietnamese/Hanoi Thailand/Thai/Bangkok Cambodia/Cambodian/Phnom_Penh Malaysia/Malaysian/Kuala_Lumpur Indonesia/Indonesian/Jakarta
Australia/Australian/Canberra Canada/Canadian/Ottawa Mexico/Mexican/Mexico_City Cuba/Cuban/Havana Colombia/Colombian/Bogota
Venezuela/Venezuelan/Caracas Peru/Peruvian/Lima Chile/Chilean/Santiago Bolivia/Bolivian/La_Paz Brazil/Brazilian/Brasilia
Argentina/Argentine/Buenos_Aires Ecuador/Ecuadorean/Quito""".replace("\n", " ").split()]
COUNTRIES = [[x.replace("_", " ") for x in row] for row in COUNTRIES]
WHERE = {name: (n, k) for n, row in enumerate(COUNTRIES) for k, name in enumerate(row)}
NAMES = re.compile(r"\b(" + "|".join(sorted(map(re.escape, WHERE), key=len, reverse=True)) + r")(?=\b|s\b)")


def other_countries(texts, rng):
    """The texts with every country, its people and its capital put in the place of another's."""
    named = sorted({WHERE[m][0] for t in texts for m in NAMES.findall(t)})
    if not named:
        return texts
    free = [n for n in range(len(COUNTRIES)) if n not in named]
    to = dict(zip(named, rng.sample(free, len(named)), strict=True))

    def swap(m):
        n, k = WHERE[m.group(1)]
        return COUNTRIES[to[n]][k]

    return [re.sub(r"\b([Aa])n? (?=([A-Z]))", lambda m: m.group(1) + ("n " if m.group(2) in "AEIO" else " "), NAMES.sub(swap, t))
            if NAMES.search(t) else t for t in texts]


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


NOISE = """Advertisement|Share this article|Read more|Related stories|Sign up for our newsletter|Photo: file picture|Click here to comment|
All rights reserved.|Follow us on social media.|Story continues below|Most popular|Last updated: 4 hours ago|Share on Facebook|Print this page|
Subscribe to get the latest news in your inbox.|Top stories this week|Skip to main content|Cookie settings|We use cookies to improve your visit.|
Your email address will not be published.|Leave a reply|12 comments|By staff reporter|Copyright 2014|More from World|Trending now|
Have you got a story? Write to our newsroom.|Home - News - World|Watch live|Listen to this article, 3 minutes|Log in to post a comment|
Terms of use and privacy policy|Image caption|Getty Images|Sponsored content|Weather|Recommended for you""".replace("\n", "").split("|")
TEASERS = ["{}", "{}", "{}", "Related: {}", "Read more: {}", "READ MORE: {}", "See also: {}", "Also in the news: {}", "More: {}", "- {}", "* {}",
           "Next story: {}", "Video: {}", "Don't miss: {}", "Analysis: {}", "{} (2 hours ago)", "World | {}"]
TALK = re.compile(r"\b(talks?|negotiat|meet|summit|dialogue|delegat|discuss|truce|mediat|envoy|parley|round of|bargain)", re.I)

# How often each article's claims come in an epoch, by where the article comes from.
REAL = ("fnc", "rte", "lee", "ag")  # kinds whose texts are real news
MAIN = {"articles": 0.55, "families": 0.35, "wire": 1, "grammar": 0.25, "extra": 1.8, "fnc": 0.65, "rte": 1, "wire-more": 1.8, "long-more": 1.2, "web-more": 1.6, "contrast": 1.6, "denials": 2.5, "willing": 2.5, "lee": 2, "ag": 2}
PLAIN = {"articles": 0.6, "families": 0.25, "wire": 0.8, "grammar": 0.1, "extra": 1.5, "fnc": 0.6, "rte": 0.8, "wire-more": 1.8, "long-more": 1.2, "web-more": 1.6, "contrast": 1.4, "denials": 2.5, "willing": 2.5, "lee": 1.5, "ag": 2}


class Sampler:
    """Turns articles into examples, varied afresh in every epoch. `background`: bodies of real news, for burying."""

    def __init__(self, articles, rng, background=(), rates=MAIN, strength=1.0, default=2.0):
        """`default`: how often the default claim comes for each time that another does."""
        self.articles = articles
        self.default = default
        self.rng = rng
        self.rates = rates
        self.strength = strength
        self.party_claims = [c for a in articles for c, _, _ in a.claims[:1] if parties(c)]
        self.teasers = [a.title for a in articles if a.title and a.claims[0][1] != 3 and 4 <= len(a.title.split()) <= 14]
        self.by_word = {}
        for t in self.teasers:
            for w in set(re.findall(r"[A-Z][a-z]{3,}", t)):
                self.by_word.setdefault(w.lower(), []).append(t)
        self.runs = [run for a in articles if len(a.sentences) > 5 for run in [self.neutral(a)] if len(run) > 1]
        for text in background:
            run = [s for s in split_sentences(text) if 5 < len(s.split()) < 60 and not TALK.search(s)]
            if len(run) > 5:
                self.runs.append(run)

    @staticmethod
    def neutral(a):
        """Sentences of an article that decide nothing: used to bury other articles."""
        if not any(a.marks):
            return []
        return [s for s, m in zip(a.sentences[2:], a.marks[3:]) if not m and len(s.split()) > 6 and not TALK.search(s)]

    def fill(self, words_wanted):
        """Background of about so many words: runs of sentences from other articles."""
        out, n = [], 0
        while n < words_wanted:
            run = self.rng.choice(self.runs)
            start = self.rng.randrange(max(1, len(run) - 3))
            for s in run[start : start + self.rng.randint(2, 14)]:
                out.append(s)
                n += len(s.split())
        return out

    def teaser(self, a):
        """The headline of another article, often one that shares a name with this."""
        near = [t for w in a.words if w in self.by_word for t in self.by_word[w]] if self.rng.random() < 0.4 else []
        near = [t for t in near if t != a.title]
        return self.rng.choice(TEASERS).format(self.rng.choice(near or self.teasers))

    def foreign_claim(self, a):
        """A claim about parties that the article does not name, often next to one that it names: unrelated."""
        own = a.claims[0][0]
        for _ in range(20):
            claim = self.rng.choice(self.party_claims)
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
        gold = list(gold) if gold is not None else [-1] * (1 + len(sentences))
        if not title and a.titles and rng.random() < 0.3 * k:
            title, gold[0] = rng.choice(a.titles), -1
        if title and rng.random() < 0.12 * k and (gold[0] != 1 or any(g == 1 for g in gold[1:])):
            title = ""
        if rng.random() < 0.15 * k:
            claim, title, *sentences = other_countries([claim, title, *sentences], rng)
        if sentences and a.kind not in REAL and rng.random() < 0.25 * k:
            sentences[0] = dateline(sentences[0], rng)
        if title and rng.random() < 0.05 * k:
            title = title.upper()
        if rng.random() < 0.03 * k:  # leftovers of HTML entities
            sentences = [x.replace('"', "quot;").replace("'s", " #39;s").replace("$", "#36;") for x in sentences]
        units = list(zip(sentences, gold[1:], strict=True))
        if len(units) > 4 and rng.random() < 0.15 * k:  # drop a sentence that decides nothing
            last = rng.randrange(2, len(units))
            if units[last][1] == 0:
                del units[last]
        if len(units) > 8 and rng.random() < 0.7 * k:  # cut a long article short behind its evidence
            last = max((i for i, (_, m) in enumerate(units) if m == 1), default=0)
            units = units[: max(rng.randint(7, 14), last + 1)]
        x = rng.random()
        if x < 0.14 * k:  # bury in background
            much = rng.choice((60, 100, 150, 200, 300)) if x < 0.115 * k else rng.choice((600, 1000, 1500))
            fill = self.fill(much)
            cut = rng.choice((0, len(fill) // 2, len(fill) // 3, len(fill)))
            units = [(s, 0) for s in fill[:cut]] + units + [(s, 0) for s in fill[cut:]]
        if rng.random() < 0.16 * k:  # page noise, topical teasers among it
            def block():
                return [(rng.choice(NOISE) if rng.random() < 0.55 else self.teaser(a), 0) for _ in range(rng.randint(1, 6))]
            place = rng.randrange(4)
            if place != 1:
                units = block() + units
            if place != 0:
                units = units + block()
            if place == 3 and len(units) > 3:
                units.insert(rng.randrange(1, len(units)), block()[0])
        sentences = [s for s, _ in units]
        gold = [gold[0]] + [m for _, m in units]
        return dict(claim=claim, title=title, sentences=sentences, label=label, gold=gold)

    def times(self, rate):
        return int(rate) + (self.rng.random() < rate % 1)

    def epoch(self):
        """The claims of all articles, as often as their rates say, and a foreign claim for some."""
        out = []
        for a in self.articles:
            rate = self.rates[a.kind]
            for n, (claim, label, gold) in enumerate(a.claims):
                often = rate
                if claim == DEFAULT:
                    often = self.default * rate  # it is what most users ask, and one claim of many
                elif a.kind in ("articles", "families") and n == 0:
                    often = 1.5 * rate
                if label == 3 and claim != DEFAULT and a.kind not in ("long-more", "wire-more", "web-more"):
                    often *= 0.4 if a.kind in REAL and TALK.search(claim) else 0.65
                for _ in range(self.times(often)):
                    out.append(self.example(a, claim, label, gold))
            if a.kind in REAL and self.rng.random() < 0.3 * rate and not TALK.search(" ".join([a.title, *a.sentences])):
                out.append(self.example(a, DEFAULT, 3, [0] * (1 + len(a.sentences))))  # no word of talks: the default claim is about something else
            if a.kind not in REAL and self.rng.random() < 0.2 * rate:
                claim = self.foreign_claim(a)
                if claim:
                    out.append(self.example(a, claim, 3, [0] * (1 + len(a.sentences))))
        self.rng.shuffle(out)
        return out


CALIBRATION = ("articles", "families", "wire", "wire-more", "long-more", "web-more", "fnc", "rte")  # kinds of which some are kept apart


def load_articles(folder, public, apart=False):
    """Everything of our own that is trained on; or, with `apart`, the one in 20 that is kept for calibration."""
    out = from_articles(f"{folder}/articles.jsonl") + from_families(f"{folder}/families.jsonl") + from_wire(f"{folder}/wire.jsonl")
    for kind in ("extra", "contrast", "denials", "willing", "grammar", "wire-more", "long-more", "web-more"):
        for path in sorted(glob.glob(f"{folder}/{kind}*.jsonl")):
            out += from_extra(path, kind)
    for path in sorted(glob.glob(f"{folder}/fnc-*.jsonl")):
        out += from_fnc_labels(path, f"{public}/fnc-1")
    for path in sorted(glob.glob(f"{folder}/rte-*.jsonl")):
        out += from_rte_labels(path, f"{public}/rte.jsonl")
    for path in sorted(glob.glob(f"{folder}/lee-*.jsonl")):
        out += from_lee_labels(path)
    for path in sorted(glob.glob(f"{folder}/ag*.jsonl")):
        out += from_ag_labels(path, f"{public}/ag-news", "ag-apart" if "apart" in os.path.basename(path) else "ag")
    return [a for a in out if (a.kind == "ag-apart" or a.kind in CALIBRATION and held_out(a.key)) == apart]
