"""Rules over words: what a rewritten text must share with its sources, whoever wrote it.

Numbers, names and quoted phrases must be in the sources; words of denial and words of doubt must be as many as in the sources.
"""

import re

NUMBERS = {w: str(i) for i, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split())}
NUMBERS |= {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "dozen": "12",
            "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "sixth": "6th", "seventh": "7th", "eighth": "8th",
            "ninth": "9th", "tenth": "10th", "half": "half", "quarter": "quarter", "hundred": "100", "thousand": "1000",
            "million": "million", "billion": "billion", "twice": "2", "both": "both"}
NEGATIONS = set("no not never none nobody nothing neither nor without cannot nowhere".split())
DENIALS = set("""deny denies denied denying reject rejects rejected refuse refuses refused cancel cancels cancelled canceled
    scrap scrapped halt halted suspend suspended postpone postponed abandon abandoned dismiss dismissed rule ruled decline declined fail failed""".split())
DOUBTS = {**dict.fromkeys("may might could can perhaps possibly".split(), "may"),
          **dict.fromkeys("if unless whether provided until once".split(), "if"),
          **dict.fromkeys("should must".split(), "must"),
          **dict.fromkeys("likely unlikely expected hopes hoped hope plans planned intends rumour rumours reportedly apparently alleged allegedly unclear open".split(), "hedge")}
STRICT = {"may", "if", "must"}  # what must be as many; hedges are counted for pairs only
STOP = set("""a an the and or but so to of in on at by for with from as it its they their them he his she her that this these those there is are was were be
    been being has have had do does did will would shall said says say who which what when where while after before than then also about over into out up
    off between both each some any all more most other others such only just own per s t""".split())
SAME = [set(x.split()) for x in (
    "us american america washington united|uk british britain london|eu european union brussels|un united nations|dutch netherlands|"
    "french france paris|german germany berlin|spanish spain|swiss switzerland|polish poland|danish denmark|swedish sweden|"
    "turkish turkey türkiye|greek greece|irish ireland|welsh wales|scottish scotland|norwegian norway|finnish finland|chinese china beijing|"
    "filipino philippine philippines manila|thai thailand|iraqi iraq|peruvian peru|cypriot cyprus|north|south").split("|")]
WORD = re.compile(r"\d[\d,.:]*\d|\d+(?:st|nd|rd|th)?|[^\W\d_]+(?:['’][^\W\d_]+)?(?:\.[A-Za-z]\.?)*")


def words(text):
    return WORD.findall(text.replace("’", "'"))


def stem(w):
    w = re.sub(r"'s$|'$", "", w.lower())
    for end in ("ingly", "edly", "ations", "ation", "ing", "ies", "ied", "ers", "ed", "es", "er", "ly", "s", "e"):
        if w.endswith(end) and len(w) - len(end) >= 3:
            return w[: len(w) - len(end)][:6]
    return w[:6]


def number(w):
    w = w.lower().strip(".,").replace(",", "")
    return NUMBERS.get(w, w if w[:1].isdigit() else None)


def numbers(text):
    return {n for w in re.findall(r"[\w,.]*\w", text) for p in w.split("-") if (n := number(p)) and n != "both"} | {
        n for w in words(text) if (n := number(w)) and n != "both"}


def names(text):
    """Words that begin with a capital: of the first word of a sentence only if it is no common word, which the caller finds by the sources."""
    ws = words(text)
    starts = {m.start() for m in re.finditer(r"(?:^|[.!?:]['\"”’)]*\s+|[\"“‘])\W*\w", text)}
    return [w for w in ws if w[:1].isupper()], starts


def near(name, known):
    n = re.sub(r"'s$", "", name.lower()).replace(".", "")
    if n in known or n in STOP or n in NUMBERS:
        return True
    if any(n in group and group & known for group in SAME):
        return True
    return len(n) >= 4 and any(k[:4] == n[:4] and abs(len(k) - len(n)) <= 4 for k in known)


def negations(text):
    return sum(w.lower() in NEGATIONS or w.lower().endswith("n't") for w in words(text))


def doubts(text, kinds=STRICT):
    out = {}
    for w in words(text):
        k = DOUBTS.get(w.lower())
        if k in kinds and not (k == "may" and w == "May"):
            out[k] = out.get(k, 0) + 1
    return out


def quoted(text):
    return [re.sub(r"\W+", " ", q).strip().lower() for q in re.findall(r"[\"“]([^\"”]+)[\"”]", text)]


def faults(sources, output):
    """The rules that an output breaks."""
    out = []
    missing = numbers(output) - numbers(sources)
    if missing:
        out.append("number")
    known = {re.sub(r"'s$", "", w.lower()).replace(".", "") for w in words(sources)}
    if any(not near(w, known) for w in names(output)[0]):
        out.append("name")
    flat = re.sub(r"\W+", " ", sources).lower()
    if any(q not in flat for q in quoted(output)):
        out.append("quote")
    if negations(sources) != negations(output):
        out.append("negation")
    if doubts(sources) != doubts(output):
        out.append("doubt")
    return out


def covered(sources, output):
    """The share of the output's content words whose stem the sources have."""
    known = {stem(w) for w in words(sources)}
    low = {w.lower() for w in words(sources)}
    content = [w for w in words(output) if w.lower() not in STOP and w.lower() not in NUMBERS]
    return sum(stem(w) in known or near(w, low) for w in content) / max(1, len(content))


# Two stricter rules, found by reading the first 50 outputs: who says it must be who said it, and the words must keep their order.
SAYS = set("""say says said saying announce announces announced tell tells told report reports reported confirm confirms confirmed state stated
    claim claims claimed warn warned add adds added reply replied call calls called insisted promised according described declared explained""".split())
TAIL = re.compile(r", ((?:[\w'’.-]+ ){1,9}(?:said|says|say|announced|confirmed|reported|added|promised|insisted))\.$")
FRONT = re.compile(r"^((?:[\w'’.-]+ ){1,9}(?:said|says|say|announced|confirmed|reported|added|replied|insisted))(?: that)? ")


def speaker(sources, output):
    """Whether reported speech is still reported, and by the same mouths: next to the verb stands a word that does so in the sources."""
    low = [w.lower() for w in words(sources)]
    spoken = [i for i, w in enumerate(low) if w in SAYS]
    own = [w.lower() for w in words(output)]
    if spoken and not any(w in SAYS for w in own):
        return False
    for phrase in (TAIL, FRONT):
        m = phrase.search(output)
        if m:
            last = stem(words(m.group(1))[-2])
            if not any(last in {stem(w) for w in low[max(0, i - 4) : i + 2]} for i in spoken):
                return False
    return True


def ordered(sources, output):
    """Whether the content words of the output, bar an attribution at its end or beginning, come in the sources' order."""
    body = FRONT.sub("", TAIL.sub(".", output))
    content = lambda t: [stem(w) for w in words(t) if w.lower() not in STOP and w.lower() not in SAYS]
    have, want = content(sources), content(body)
    row = [0] * (len(have) + 1)  # longest common subsequence
    for w in want:
        before = row[:]
        for j, h in enumerate(have):
            row[j + 1] = before[j] + 1 if w == h or (any(w in {stem(x) for x in g} and h in {stem(x) for x in g} for g in SAME)) else max(row[j], before[j + 1])
    return row[-1] == len(want)
