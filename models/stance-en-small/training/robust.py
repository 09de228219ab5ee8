"""How many labels change when page noise surrounds an article, and when it sits inside long neutral background.

    python robust.py --tidings ../../../target/release/tidings --background qags.jsonl talks-real-dev.jsonl talks-hard-dev.jsonl

Every labelled claim of the files is asked through the program: of the article as it is, with noise round it (menus, notices, and teasers of
other stories about talks: headlines made up here and those of the other articles), and inside 2,000 words of news that speak of no talks.
The background comes from a file that is trained on nowhere: records with `article`.
"""

import argparse
import json
import pathlib
import random
import re
import subprocess
import tempfile

from text import split_sentences

TOP = """Home | World | Business | Sport | Weather|Skip to content|Menu|Search this site|Sign in|Subscribe for 1 a week|Breaking news alerts|
Wednesday edition|Listen|Save for later|Share on Facebook Share on Twitter|Advertisement|Our reporters""".replace("\n", "").split("|")
END = """Sign up for the morning briefing|Leave a comment (23)|Print|Email this story|Copyright. All rights reserved.|Terms of service|Most read|
Around the web|You may also like|Contact the newsroom|Follow us|Advertisement|Corrections|Next article|More from this section""".replace("\n", "").split("|")
TEASERS = """Truce talks between army and rebels collapse in second day|Ministers to meet Sunday on gas price row|Teachers' union rejects fresh pay talks|
Summit in doubt as president stays silent|Carmaker and union resume contract negotiations|Leaders to hold landmark talks next week|
Peace envoy arrives for new round|No talks while bombs fall, says minister|Striker in talks over new deal|Merger talks called off|
Opposition agrees to sit down with government|Kremlin plays down talk of summit|Trade delegation leaves empty-handed|Nuclear talks to restart in Vienna|
Hostage talks at a standstill|Airline and pilots return to the table|Border talks put off until spring|Rebels say they are ready to talk""".replace("\n", "").split("|")
TALK = re.compile(r"\b(talks?|negotiat|meet|summit|dialogue|delegat|discuss|truce|mediat|envoy|bargain|peace)", re.I)


def noisy(text, titles, rng):
    """The article with lines of a page before and after it, teasers among them."""
    def teasers(n):
        return [rng.choice(("{}", "{}", "Related: {}", "Read more: {}", "{} - 3 hours ago")).format(t)
                for t in rng.sample(titles, n // 2) + rng.sample(TEASERS, n - n // 2)]

    top, end = rng.sample(TOP, rng.randint(2, 6)) + teasers(rng.randint(1, 3)), teasers(rng.randint(2, 5)) + rng.sample(END, rng.randint(2, 6))
    rng.shuffle(top)
    return "\n\n".join([*top, text, rng.choice(("Related stories", "More news", "Also today")), *end])


def buried(text, runs, rng, words=2000):
    """The article somewhere inside so many words of background."""
    fill, n = [], 0
    while n < words:
        run = rng.choice(runs)
        fill.append(" ".join(run))
        n += sum(len(s.split()) for s in run)
    cut = rng.choice((0, len(fill) // 2, len(fill)))
    return "\n\n".join([*fill[:cut], text, *fill[cut:]])


def labels(a, rows, folder, name):
    """The program's label of every claim of every record, in order."""
    path, out = pathlib.Path(folder) / f"{name}.jsonl", pathlib.Path(folder) / f"{name}-answers.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    command = [a.tidings, "eval", str(path), "--all-claims", "--default-label-field", "default_label", "--records", str(out), "--force", "--format", "json", "--quiet"]
    subprocess.run(command + (["--model", a.model] if a.model else []), check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in out.read_text().splitlines()]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("files", nargs="+")
    p.add_argument("--tidings", required=True)
    p.add_argument("--model")
    p.add_argument("--background", required=True)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    rng = random.Random(a.seed)
    rows = [json.loads(line) for f in a.files for line in open(f, encoding="utf-8")]
    for n, r in enumerate(rows):
        r["id"] = f"{n}"
    titles = [r["title"] for r in rows if r.get("title")]
    runs = []
    for line in open(a.background, encoding="utf-8"):
        sentences = [s for s in split_sentences(json.loads(line)["article"]) if 5 < len(s.split()) < 60 and not TALK.search(s)]
        if len(sentences) > 4:
            runs.append(sentences[:12])
    with tempfile.TemporaryDirectory() as folder:
        plain = labels(a, rows, folder, "plain")
        for name, vary in (("page noise", lambda r: noisy(r["text"], [t for t in titles if t != r.get("title")], rng)),
                           ("2,000 words of background", lambda r: buried(r["text"], runs, rng))):
            other = labels(a, [dict(r, text=vary(r)) for r in rows], folder, "varied")
            assert [(x["id"], x["claim"]) for x in plain] == [(x["id"], x["claim"]) for x in other]
            changed = [(x, y) for x, y in zip(plain, other, strict=True) if x["label"] != y["label"]]
            to = {}
            for x, y in changed:
                key = f"{x['label']} -> {y['label']}"
                to[key] = to.get(key, 0) + 1
            print(f"{name}: {len(changed)} of {len(plain)} labels change ({len(changed) / len(plain):.1%})", dict(sorted(to.items(), key=lambda x: -x[1])))


if __name__ == "__main__":
    main()
