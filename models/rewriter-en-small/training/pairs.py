"""Makes the rewriter's training pairs: sentences of an article and a shorter text that says nothing else.

    python pairs.py --data DIR --extracted extracted.jsonl --own own-pairs.jsonl --out pairs.jsonl

DIR holds articles.jsonl, families.jsonl and wire.jsonl (text, evidence, summary), and more items without summaries; extracted.jsonl is what
`tidings classify --summary --max-words 60` answers for them. Four kinds of pair come out:
  human   a person's summary, where the sentences bear it out by the rules of checks.py
  cut     one or two sentences with a dispensable part taken out by rule: a dateline, a relative clause, a fronted or trailing clause
  same    a short sentence, unchanged
  own     pairs written for this purpose
and a share of them once more with other names on both sides, so that names are copied and not remembered.
"""

import argparse
import json
import os
import random
import re
import sys

from checks import DENIALS, DOUBTS, NEGATIONS, NUMBERS, STOP, covered, doubts, faults, negations, number, stem, words

BOUNDARY = re.compile(r"(?<=[.!?])[\"”’)]*(\s+)(?=[\"“‘(]*[A-Z0-9])")
ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Gen|Col|Lt|Sen|Rep|St|Jr|No|Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|Nov|Dec|vs|Prof|Gov|Capt|Sgt)|\b[A-Z]|[a-z]\.[a-z])\.$")


def sentences(text):
    out = []
    for line in text.splitlines():
        start = 0
        for m in BOUNDARY.finditer(line):
            piece = line[start : m.start(1)]
            if ABBREVIATION.search(piece):
                continue
            out.append(piece.strip())
            start = m.end(1)
        if line[start:].strip():
            out.append(line[start:].strip())
    return out


def size(text):
    return len(text.split())


DATELINE = re.compile(r"^[A-Z][A-Z/'’. -]+(?:, [A-Z][\w ]+)*(?:,? \w{3,9}\.? \d{1,2})?(?: \(\w+\))? ?[-—–]+ +(?=[\"“A-Z0-9])")
WEIGHTY = re.compile(r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|if|unless|whether|provided|until|once|may|might|could|but|although|though|den\w+|reject\w+|refus\w+|cancel\w+|\w+n['’]t)\b", re.I)


def light(part):
    """Whether a part can go: no denial, condition or doubt, no quotation, no brackets."""
    return not WEIGHTY.search(part) and not re.search(r"[\"“”()]|[—–]", part)


def capital(s):
    return s[:1].upper() + s[1:]


def cuts(s):
    """A sentence with one dispensable part less, by each rule that fits."""
    m = DATELINE.match(s)
    if m:
        yield "dateline", capital(s[m.end() :])
    m = re.match(r"^(?:Meanwhile|However|Nonetheless|Nevertheless|Moreover|In the meantime|Even so|In fact|Instead), (?=\w)", s)
    if m:
        yield "link", capital(s[m.end() :])
    m = re.match(r"^(?:After|Before|Following|Despite|With|In|At|Since|Earlier|Hours|Days|Weeks|Months|Minutes|For) [^,;:]{8,90}, (?=(?:the|a|an|[A-Z][\w'’-]+|both|officials|negotiators|talks|union)\b)", s)
    if m and light(m.group()) and "," not in " ".join(s[m.end() :].split()[:7]) and not re.match(r"\S+ (?:and|or) ", s[m.end() :]):
        yield "front", capital(s[m.end() :])
    m = re.search(r", (?:which|whose|where|who) [^,;:]+\.$", s)
    if m and light(m.group()) and not re.search(r"\b(?:said|says|told)\b", m.group()):
        yield "relative", s[: m.start()] + "."
    m = re.search(r", (?:which|whose|who) [^,;:]+, (?=(?:said|says|told|will|would|has|have|had|is|are|was|were|also|\w+ed)\b)", s)
    if m and light(m.group()):
        yield "inner", s[: m.start()] + " " + s[m.end() :]
    m = re.search(r"(?<=[A-Z]\w[\w'’]) ?, (?:a|an|the|its) [^,;:]{5,70}, (?=(?:said|says|told|will|would|has|had|is|was|also|\w+ed)\b)", s)
    if m and light(m.group()) and not re.search(r"\b(?:and|to)\b", m.group()):
        yield "apposition", s[: m.start()].rstrip() + " " + s[m.end() :]
    m = re.search(r", (?:adding|saying|noting|calling|citing|ending|leaving|bringing|raising|marking|making|a \w+|the first|the second|the third|its first|their first|days after|hours after|weeks after|a day after|ten days after|months after|after|before|as) [^,;:]+\.$", s)
    if m and light(m.group()) and not re.search(r"\b(?:said|says|told|according)\b", m.group()):
        yield "tail", s[: m.start()] + "."
    m = re.search(r" \([^)]{4,80}\)", s)
    if m and not WEIGHTY.search(m.group()):
        yield "brackets", s[: m.start()] + s[m.end() :]
    m = re.search(r" [—–] [^—–]{4,90} [—–] ", s)
    if m and not WEIGHTY.search(m.group()):
        yield "dashes", s[: m.start()] + " " + s[m.end() :]
    m = re.search(r"\b(said|announced|told \w+ \w+)( late| early)? on (?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?: (?:morning|evening|night|afternoon))?(?=[.,])", s)
    if m and m.end() > len(s) - 20:
        yield "day", s[: m.end(1)] + s[m.end() :]


def cut(s):
    """A sentence after every cut that fits, and the names of the cuts."""
    done = []
    for _ in range(4):
        step = next(((n, c) for n, c in cuts(s) if size(c) >= 7 and c.count('"') % 2 == 0), None)
        if not step:
            break
        done.append(step[0])
        s = step[1].replace("  ", " ").replace("..", ".")
    return s, done


LEAD = re.compile(r"^(?:Unclear|Undecided|Open|Unrelated|Off topic|Talks are (?:not )?imminent|Imminent|Not imminent|No talks|Uncertain)\s*[:;,-]\s+", re.I)


def borne_out(sources, summary, share):
    """A person's summary as a target, if the sources bear it out; without its last clause where only that is not borne out."""
    tries = [summary]
    bare = LEAD.sub("", summary)
    if bare != summary:
        tries.append(capital(bare))
    for t in list(tries):
        parts = re.split(r"(?<=[.!?]) (?=[A-Z])", t)
        if len(parts) > 1:
            tries += parts[:1]
        for m in re.finditer(r"; |, (?:and|while|after|as) ", t):
            tries.append(t[: m.start()].rstrip(",;") + ".")
    for t in tries:
        hedges = lambda x: bool(doubts(x, {"hedge"}))
        denials = lambda x: sum(w.lower() in DENIALS for w in words(x)) > 0
        if size(t) >= 5 and size(t) < size(sources) and not faults(sources, t) and covered(sources, t) >= share \
                and denials(sources) == denials(t) and hedges(t) == hedges(sources) and not re.search(r"\barticle\b|\bimminent\b|\btalks have\b", t):
            return t
    return None


def oracle(sents, summary, most=60):
    """The fewest sentences, at most three, that add stems of the summary; in the article's order."""
    want = {stem(w) for w in words(summary) if w.lower() not in STOP}
    chosen, have = [], set()
    while len(chosen) < 3:
        best = max(range(len(sents)), key=lambda i: len((want - have) & {stem(w) for w in words(sents[i])}) - 0.02 * size(sents[i]), default=None)
        gain = (want - have) & {stem(w) for w in words(sents[best])} if best is not None else ()
        if len(gain) < (1 if not chosen else 2) or best in chosen or (chosen and sum(size(sents[i]) for i in chosen) + size(sents[best]) > most):
            break
        chosen.append(best)
        have |= {stem(w) for w in words(sents[best])}
    return [sents[i] for i in sorted(chosen)]


# Country, people and capital, swapped as one.
PLACES = [x.split("|") for x in """Iran|Iranian|Tehran;Norway|Norwegian|Oslo;Kenya|Kenyan|Nairobi;Peru|Peruvian|Lima;Jordan|Jordanian|Amman;Chile|Chilean|Santiago
Ghana|Ghanaian|Accra;Nepal|Nepali|Kathmandu;Serbia|Serbian|Belgrade;Georgia|Georgian|Tbilisi;Russia|Russian|Moscow;Ukraine|Ukrainian|Kyiv;Israel|Israeli|Jerusalem
Egypt|Egyptian|Cairo;Turkey|Turkish|Ankara;Pakistan|Pakistani|Islamabad;India|Indian|Delhi;Japan|Japanese|Tokyo;Oman|Omani|Muscat;Qatar|Qatari|Doha;Syria|Syrian|Damascus
Sudan|Sudanese|Khartoum;Ethiopia|Ethiopian|Addis Ababa;Somalia|Somali|Mogadishu;Colombia|Colombian|Bogota;Venezuela|Venezuelan|Caracas;Armenia|Armenian|Yerevan
Poland|Polish|Warsaw;Hungary|Hungarian|Budapest;Greece|Greek|Athens;Cyprus|Cypriot|Nicosia;Mali|Malian|Bamako;Nigeria|Nigerian|Abuja;Vietnam|Vietnamese|Hanoi
Indonesia|Indonesian|Jakarta;Malaysia|Malaysian|Kuala Lumpur;Canada|Canadian|Ottawa;Mexico|Mexican|Mexico City;Brazil|Brazilian|Brasilia;Bolivia|Bolivian|La Paz
China|Chinese|Beijing;France|French|Paris;Germany|German|Berlin;Spain|Spanish|Madrid;Morocco|Moroccan|Rabat;Algeria|Algerian|Algiers;Tunisia|Tunisian|Tunis
Zambia|Zambian|Lusaka;Uganda|Ugandan|Kampala;Rwanda|Rwandan|Kigali;Libya|Libyan|Tripoli;Iraq|Iraqi|Baghdad;Lebanon|Lebanese|Beirut;Denmark|Danish|Copenhagen""".replace("\n", ";").split(";")]
INVENTED = """Abelard Ostrova Tamsin Kervick Dunmore Halloway Brisk Velasco Marchetti Okonjo Lindqvist Petrak Ansah Moreau Tanaka Whitlock Barzani Ferreira Novik Quill
Solberg Ibarra Castellan Rourke Merrin Adeyemi Khalid Vasquez Thornbury Eklund Zabala Pereira Hartwell Kimathi Delacroix Osei Varga Linden Carrow Mistral Penrose Galt
Hedley Corvin Ashdown Brannock Tolliver Sandoval Yilmaz Karimov Bexley Norling Duarte Fennimore Grayling Halvorsen Jansky Kessler Lorimer Mbeki Nakata Orlov Prentice
Rasmus Sefton Tremaine Uddin Vance Wexford Yarrow Zeller Amato Birch Cordoba Drummond Everly Falk Guthrie Hollis Ives""".split()
KEEP = set("""Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October November December
Mr Mrs Ms Dr President Prime Minister Foreign General Council Union Bank Party House Court North South East West New Red Cross Sea Gulf Street State United Nations States
European Central Supreme High World Cup League American Americans US UN EU UK British Britain London Washington Brussels Nato NATO I City Saint San Los La Le El Al
Christmas Easter Ramadan GMT AFP AP Reuters Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Secretary Ministry Commission Parliament Congress Senate""".split())


def swap(source, target, rng):
    """Both texts with other countries, people and places, the same ones on both sides; None where there is nothing to swap."""
    both = source + " \n " + target
    table = {}
    present = [p for p in PLACES if any(re.search(rf"\b{re.escape(w)}", both) for w in p)]
    free = [p for p in PLACES if p not in present]
    for old, new in zip(present, rng.sample(free, len(present))):
        table.update(zip(old, new))
    used = {w for p in PLACES for x in p for w in x.split()}
    pool = rng.sample(INVENTED, len(INVENTED))
    low = set(re.findall(r"\b[a-z]+\b", both))
    for m in re.finditer(r"(?<=[a-z,'’;-] )[A-Z][a-zà-ý]{3,}\b", both):
        w = m.group()
        if w not in table and w not in used and w not in KEEP and w.lower() not in low and w.lower() not in STOP and pool \
                and not w.endswith(("ian", "ish", "ese", "ans", "ists")) and re.sub("s$", "", w.lower()) not in NUMBERS:
            table[w] = pool.pop()
    if not table:
        return None
    pattern = re.compile(r"\b(an? )?(" + "|".join(sorted(map(re.escape, table), key=len, reverse=True)) + r")(?=s?\b)")

    def put(m):
        new, article = table[m.group(2)], m.group(1) or ""
        if article:
            article = ("an " if new[0] in "AEIOU" and not new.startswith(("Uk", "Ug", "Eu")) else "a ")
            if m.group(1)[0] == "A":
                article = article.capitalize()
        return article + new

    upper = {k.upper(): v.upper() for k, v in table.items() if len(k) > 3}
    out = pattern.sub(put, both)
    if upper:
        out = re.sub(r"\b(" + "|".join(sorted(map(re.escape, upper), key=len, reverse=True)) + r")\b", lambda m: upper[m.group()], out)
    a, b = out.split(" \n ")
    return a, b


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--extracted", required=True)
    p.add_argument("--own", nargs="*", default=[])
    p.add_argument("--out", required=True)
    p.add_argument("--share", type=float, default=0.9, help="content stems of a person's summary that the sources must have")
    p.add_argument("--cuts", type=int, default=900)
    p.add_argument("--same", type=int, default=180)
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    rng = random.Random(a.seed)
    read = lambda name: [json.loads(l) for l in open(os.path.join(a.data, name))]

    documents = [(r["id"], r["id"], r) for name in ("articles.jsonl", "wire.jsonl") for r in read(name)]
    documents += [(r["family"], f"{r['family']}/{i}", v) for r in read("families.jsonl") for i, v in enumerate(r["versions"])]
    extracted = {r["id"]: [s["text"] for s in r["summary"]["sentences"]] for r in map(json.loads, open(a.extracted)) if r.get("summary")}
    pairs, seen, tried = [], set(), 0

    def add(kind, family, source, target):
        key = (source, target)
        if key not in seen and size(source) <= 75:
            seen.add(key)
            pairs.append({"kind": kind, "family": family, "source": source, "target": target})

    for family, id, r in documents:
        for sents in (extracted.get(id) or [], oracle(sentences(r["text"]), r["summary"])):
            source = " ".join(sents)
            tried += 1
            if source and (t := borne_out(source, r["summary"], a.share)):
                t = DATELINE.sub("", t)
                add("human", family, source, t)
    humans = len(pairs)

    # Sentences of every document with a part that can go; sometimes with the next sentence behind, which stays.
    more = documents + [(r["id"], r["id"], r) for name in sorted(os.listdir(a.data)) if re.match(r"(wire|long|web)-more\d*\.jsonl", name) for r in read(name)]
    pool, short = {}, []
    for family, id, r in more:
        sents = sentences(r["text"])
        for i, s in enumerate(sents):
            if not re.search(r"[.!?][\"”]?$", s) or s.count('"') % 2:
                continue
            c, done = cut(s)
            if done and size(s) >= 14 and size(c) <= 0.85 * size(s) and negations(c) == negations(s) and doubts(c) == doubts(s):
                follow = sents[i + 1] if i + 1 < len(sents) and rng.random() < 0.35 and size(sents[i + 1]) <= 22 and sents[i + 1].count('"') % 2 == 0 else ""
                pool.setdefault("+".join(done), []).append((family, (s + " " + follow).strip(), (c + " " + cut(follow)[0]).strip()))
            elif not done and 6 <= size(s) <= 14 and re.match(r"^[A-Z][^\"“]*\.$", s):
                short.append((family, s))
    for v in pool.values():
        rng.shuffle(v)
    # Each kind of cut in turn, so that the common ones do not crowd out the rest.
    kinds, n = sorted(pool), 0
    while n < a.cuts and any(pool.values()):
        for k in kinds:
            if pool[k] and n < a.cuts:
                add("cut", *pool[k].pop())
                n += 1
    weighty = [x for x in short if WEIGHTY.search(x[1])]
    for family, s in rng.sample(weighty, min(len(weighty), a.same * 2 // 3)) + rng.sample(short, a.same // 3):
        add("same", family, s, s)
    for name in a.own:
        for i, r in enumerate(map(json.loads, open(name))):
            add("own", f"own-{i}", r["source"], r["target"])

    for x in pairs:
        x["held"] = random.Random(x["family"]).random() < 0.05 and x["kind"] != "own"
    swapped = []
    for x in pairs:
        if not x["held"] and x["kind"] != "same" and rng.random() < (1.0 if x["kind"] in ("human", "own") else 0.3):
            if s := swap(x["source"], x["target"], rng):
                swapped.append({**x, "kind": x["kind"] + "-swapped", "source": s[0], "target": s[1]})
    pairs += swapped
    rng.shuffle(pairs)
    with open(a.out, "w") as f:
        for x in pairs:
            f.write(json.dumps(x, ensure_ascii=False) + "\n")
    count = {}
    for x in pairs:
        count[x["kind"]] = count.get(x["kind"], 0) + 1
    print(f"{tried} summaries with sources tried, {humans} borne out; {count}; {sum(x['held'] for x in pairs)} held out; "
          f"words {sum(size(x['source']) for x in pairs) / len(pairs):.1f} -> {sum(size(x['target']) for x in pairs) / len(pairs):.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
