#!/usr/bin/env python3
"""The runner's long trials, too long for `cargo test`. Figures go into benches/LOG.md.

    tests/endurance.py PROGRAM kills [--articles 20000] [--kills 100] [--engine native]
    tests/endurance.py PROGRAM hostile [--articles 100000] [--engine fake]
    tests/endurance.py PROGRAM disk          (needs root: mounts a small tmpfs)
    tests/endurance.py PROGRAM folder [--articles 1000000]

PROGRAM is a release build of `tidings`. Everything happens in a temporary folder.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PLACES = "Arvenia Tolmere Sarkhand Vellin Esker Brenn Sool Tamsin Renn Oskar".split()
OPENINGS = [
    "{a} and {b} will open talks on the {c} border on day {n}, both ministries said.",
    "{a} broke off its talks with {b} over {c} fishing on day {n} and named no new date.",
    "{a} might come to a meeting with {b} in {c}, its envoy {n} said, but has not answered yet.",
    "The lighthouse of {c} shone again on day {n} for the first time in forty years, {a} radio said.",
]


def article(n):
    rng = random.Random(n)
    a, b, c = rng.sample(PLACES, 3)
    text = rng.choice(OPENINGS).format(a=a, b=b, c=c, n=n)
    for _ in range(rng.randint(0, 3)):
        text += f" Farmers in {rng.choice(PLACES)} have waited {rng.randint(2, 90)} days for rain and word from the capital."
    return text


def write_articles(path, count):
    with open(path, "w", encoding="utf-8") as f:
        for n in range(count):
            f.write(json.dumps({"id": f"a{n}", "title": f"Report {n}", "text": article(n)}) + "\n")


def kills(a, folder):
    """Killed again and again at random moments, and gone on with: the same bytes as undisturbed."""
    source, whole, out = (os.path.join(folder, name) for name in ("in.jsonl", "whole.jsonl", "out.jsonl"))
    write_articles(source, a.articles)
    command = [a.program, "classify", "--engine", a.engine, source]
    begun = time.time()
    subprocess.run([*command, "-o", whole], check=True)
    usual = time.time() - begun
    rng, killed, runs = random.Random(7), 0, 0
    while True:
        runs += 1
        child = subprocess.Popen([*command, "-o", out, "--resume"], stderr=subprocess.DEVNULL)
        try:
            # Enough short lives for the kills asked for, then left alone.
            child.wait(timeout=rng.random() * usual * 2 / a.kills if killed < a.kills else None)
            assert child.returncode == 0, child.returncode
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
    same = open(whole, "rb").read() == open(out, "rb").read()
    print(f"kills: {a.articles} articles, undisturbed {usual:.1f} s; {killed} SIGKILLs, the same bytes: {same}")
    return same and killed >= a.kills


def bomb(prefix, size):
    """A small file that unpacks to `size` bytes: one zero block, many members."""
    block = gzip.compress(b"a" * (64 << 20), 9)
    return gzip.compress(prefix) + block * (size // (64 << 20))


def write_shapes(stock):
    """One file of each hostile shape."""
    rng = random.Random(11)
    long = " ".join(article(n) for n in range(400))
    big = (long * (50_000_000 // len(long) + 1))[:50_000_000]
    shapes = [
        ("empty.txt", b""),
        ("binary.txt", bytes(rng.randrange(256) for _ in range(100_000))),
        ("big.txt", big.encode()),
        ("lines.txt", big.replace(" ", "\n").encode()),
        ("big.html", b"<html><body><p>" + big.encode()),
        ("nospace.txt", b"a" * 10_000_000),
        ("nested.html", b"<html>" + b"<div>" * 300_000),
        ("unclosed.html", b"<html><body>" + b"<b>" * 300_000),
        ("utf8.txt", b"\xff\xfe\xfa" + b"The talks \xc3 open on Monday \xf0\x28. " * 50),
        ("tokens.txt", b"[CLS] [SEP] <|im_start|> talks [MASK] open on Monday [PAD]. " * 100),
        ("nuls.txt", b"The talks\0 open on\0\0 Monday. " * 100),
        ("bomb.txt.gz", bomb(b"", 10 << 30)),
        ("bomb.jsonl.gz", bomb(b'{"id":"first","text":"The talks open on Monday."}\n{"text":"', 10 << 30)),
        ("blank.txt", b" \n" * 5_000_000),
        ("nested.json", b'{"text":' * 300_000),
        ("quote.csv", b'id,text\n1,"' + b"The talks open. " * 100_000),
        ("array.jsonl", b'{"id":"many","text":"The talks open on Monday.","n":[' + b"1," * 29_000_000 + b"1]}\n"),
        ("wide.csv", b"id,text\n" + b"," * 60_000_000 + b"\n"),
        ("fields.jsonl", b'{"text":"The talks open on Monday."' + b"".join(b',"%d":1' % n for n in range(4_000_000)) + b"}\n"),
        ("title.jsonl", b'{"title":"' + b"Talks " * 3_000_000 + b'","id":"' + b"x" * 20_000_000 + b'","text":"The talks open on Monday."}\n'),
    ]
    for name, content in shapes:
        with open(os.path.join(stock, name), "wb") as f:
            f.write(content)


def hostile(a, folder):
    """Every twentieth article is hostile; each is answered, memory stays bounded, nothing holds the run up."""
    files, stock = os.path.join(folder, "in"), os.path.join(folder, "stock")
    os.mkdir(files)
    os.mkdir(stock)
    # In a process of its own: the peak of this one's memory would count as that of the program which it starts.
    writer = multiprocessing.get_context("spawn").Process(target=write_shapes, args=(stock,))
    writer.start()
    writer.join()
    # Bytes that lie on the disk once; the others are links to them.
    names = sorted(os.listdir(stock))
    made, kinds, part = 0, 0, 0
    hostiles = a.articles // 20
    each = 500
    expected = 0
    while made < a.articles - hostiles:
        here = os.path.join(files, f"{part:06}")
        os.mkdir(here)
        with open(os.path.join(here, "a.jsonl"), "w", encoding="utf-8") as f:
            for _ in range(min(each, a.articles - hostiles - made)):
                f.write(json.dumps({"id": f"a{made}", "text": article(made)}) + "\n")
                made += 1
                expected += 1
        for _ in range(each // 19):
            if kinds < hostiles:
                name = names[kinds % len(names)]
                os.link(os.path.join(stock, name), os.path.join(here, f"b{kinds:06}.{name}"))
                expected += 2 if name == "bomb.jsonl.gz" else 1
                kinds += 1
        part += 1
    begun = time.time()
    command = [a.program, "classify", "--engine", a.engine, files]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    answered, last, longest, slowest, errors = 0, begun, 0.0, "", {}
    for line in child.stdout:
        now = time.time()
        record = json.loads(line)
        if now - last > longest:
            longest, slowest = now - last, record["id"]
        last = now
        answered += 1
        kind = record.get("error", {}).get("kind", "answered")
        errors[kind] = errors.get(kind, 0) + 1
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(f"hostile: {made} articles and {kinds} hostile files, {answered} of {expected} records in {time.time() - begun:.1f} s, exit {child.returncode}")
    print(f"  peak memory {usage.ru_maxrss / 1024:.0f} MB; longest wait for a record {longest:.1f} s ({slowest}); {errors}")
    return answered == expected and usage.ru_maxrss < 400 * 1024 and longest < 20 and child.returncode == 1


def disk(a, folder):
    """A full disk: whole records, exit 3; with room, the same command goes on."""
    source, whole, small = (os.path.join(folder, name) for name in ("in.jsonl", "whole.jsonl", "small"))
    write_articles(source, 20_000)
    command = [a.program, "classify", "--engine", "fake", source]
    subprocess.run([*command, "-o", whole], check=True)
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        out = os.path.join(small, "out.jsonl")
        ended = subprocess.run([*command, "-o", out, "--resume"], stderr=subprocess.PIPE, text=True)
        print(ended.stderr.strip())
        part, all_ = open(out, "rb").read(), open(whole, "rb").read()
        valid = all_.startswith(part) and part.endswith(b"\n")
        print(f"disk: exit {ended.returncode}, {len(part)} bytes of whole records: {valid}")
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        again = subprocess.run([*command, "-o", out, "--resume"], stderr=subprocess.DEVNULL)
        same = open(out, "rb").read() == all_
        print(f"  with room: exit {again.returncode}, the same bytes: {same}")
        return ended.returncode == 3 and again.returncode == 0 and valid and same
    finally:
        subprocess.run(["umount", small], check=True)


def folder(a, place):
    """Memory over a folder of many files, against a thousand of them."""
    files = os.path.join(place, "in")
    peaks = {}
    made = 0
    for count in (1000, a.articles):
        for n in range(made, count):
            here = os.path.join(files, f"{n // 1000:05}")
            os.makedirs(here, exist_ok=True)
            with open(os.path.join(here, f"{n}.txt"), "w", encoding="utf-8") as f:
                f.write(article(n))
        made = count
        begun = time.time()
        child = subprocess.Popen([a.program, "classify", "--engine", "fake", files], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        peaks[count] = usage.ru_maxrss / 1024
        print(f"folder: {count} files in {time.time() - begun:.1f} s, peak memory {peaks[count]:.0f} MB, exit {child.returncode}")
    # Flat: the names of one folder at a time are in memory, no more.
    return child.returncode == 0 and peaks[a.articles] < peaks[1000] * 1.2 + 10


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("program")
    a.add_argument("trial", choices=["kills", "hostile", "disk", "folder"])
    a.add_argument("--articles", type=int)
    a.add_argument("--kills", type=int, default=100)
    a.add_argument("--engine")
    a.add_argument("--tmp")
    a = a.parse_args()
    a.program = os.path.abspath(a.program)
    usual = {"kills": (20_000, "native"), "hostile": (100_000, "fake"), "disk": (0, "fake"), "folder": (1_000_000, "fake")}[a.trial]
    a.articles, a.engine = a.articles or usual[0], a.engine or usual[1]
    place = tempfile.mkdtemp(dir=a.tmp)
    try:
        ok = {"kills": kills, "hostile": hostile, "disk": disk, "folder": folder}[a.trial](a, place)
    finally:
        shutil.rmtree(place)
    print("passed" if ok else "FAILED")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
