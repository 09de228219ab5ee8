#!/usr/bin/env python3
"""Parquet, as others read and write it: pandas, DuckDB and polars (which it takes from the environment, see --install).

    tests/parquet_readers.py PROGRAM [--articles 100000] [--install]

Out: a run's Parquet file, read by each, is record by record what the JSON Lines of the same run say. In: files that each of them
writes, in many encodings, are read as the JSON Lines of the same articles are. PROGRAM is a build of `tidings`; everything happens
in a temporary folder. --install makes a virtual environment with the three for the time of the test.
"""

import argparse
import datetime
import importlib.util
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from endurance import article  # noqa: E402

PACKAGES = ["pandas", "pyarrow", "duckdb", "polars"]
ODD = [
    {"text": ""},
    {"text": None},
    {"text": "Die Gespräche zwischen den beiden Ländern werden am Montag in der Hauptstadt fortgesetzt, sagte der Minister."},
    {"text": "Talks \"resume\" today,\nsaid the envoy; no comma, no cry. 会談 👩‍👩‍👧.", "title": "=1+1", "date": "2026-11-20"},
    {"text": "The talks open on Monday.", "claim": "A treaty was signed."},
    {"text": "Nobody met anybody.", "title": "a" * 200_001},
]


def write_articles(path, count):
    rng = random.Random(3)
    with open(path, "w", encoding="utf-8") as f:
        for n in range(count):
            record = {"id": f"a{n}", "title": f"Report {n}" if n % 3 else None, "text": article(n), "desk": n % 7}
            if n % 50 == 7:
                record |= rng.choice(ODD)
            f.write(json.dumps(record) + "\n")


def flat(record):
    """What a row of the Parquet file has to say, of a JSON record."""
    answer = "stance" in record
    row = {"schema": record["schema"], "id": record["id"]}
    for name in ("title", "date", "language", "claim", "stance", "label"):
        row[name] = record.get(name)
    scores = list(record["scores"].values()) if answer else [None] * 4
    for name, score in zip(("supports", "refutes", "discusses", "unrelated"), scores):
        row[f"score_{name}"] = score
    row["evidence"] = record.get("evidence")
    summary = record.get("summary")
    if summary:
        sentences = [{"support": None} | s | {"sources": [{"start": a, "end": b} for a, b in s["sources"]]} for s in summary["sentences"]]
        summary = {"text": summary["text"], "sentences": sentences}
    row["summary"] = summary
    for name in ("model", "tokens", "windows", "truncated"):
        row[name] = record.get(name)
    row["abstained"] = record.get("abstained", False) if answer else None
    row["error_kind"] = record.get("error", {}).get("kind")
    row["error_message"] = record.get("error", {}).get("message")
    row["fields"] = json.dumps(record["fields"], ensure_ascii=False, separators=(",", ":")) if "fields" in record else None
    return row


def plain(value):
    """Without the types of a library: its arrays, numbers and blanks."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if value is not None and type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        return None if math.isnan(value) else int(value)
    return value


def rows_of_pandas(path):
    import pandas

    frame = pandas.read_parquet(path)
    return frame.to_dict("records")


def rows_of_duckdb(path):
    import duckdb

    cursor = duckdb.sql(f"select * from read_parquet('{path}')")
    names = cursor.columns
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def rows_of_polars(path):
    import polars

    return polars.read_parquet(path).to_dicts()


def peak_of(command):
    """Runs a program; its peak memory in MB, and its exit code."""
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024, child.returncode


def out(program, folder, count):
    source, place = (os.path.join(folder, name) for name in ("in.jsonl", "run.parquet"))
    write_articles(source, count)
    command = [program, "classify", "--engine", "fake", "--summary", "--passthrough", "--abstain-below", "0.4", source]
    begun = time.time()
    peak, code = peak_of([*command, "-o", place])
    assert code == 1, code
    with open(f"{place}.jsonl", encoding="utf-8") as f:
        expected = [flat(json.loads(line)) for line in f]
    sizes = [os.path.getsize(name) / 1e6 for name in (place, f"{place}.jsonl")]
    errors = sum(row["error_kind"] is not None for row in expected)
    print(f"out: {len(expected)} records ({errors} errors) in {time.time() - begun:.1f} s, peak memory {peak:.0f} MB; ", end="")
    print(f"{sizes[0]:.1f} MB of Parquet, {sizes[1]:.1f} MB of JSON Lines")
    ok = errors > 0 and len(expected) == count
    for read in (rows_of_pandas, rows_of_duckdb, rows_of_polars):
        begun = time.time()
        found = read(place)
        wrong = sum(plain(row) != plain(want) for row, want in zip(found, expected))
        same = len(found) == len(expected) and wrong == 0
        print(f"  {read.__name__.removeprefix('rows_of_')}: {len(found)} rows, {wrong} differ ({time.time() - begun:.1f} s)")
        if wrong:
            row, want = next((r, w) for r, w in zip(found, expected) if plain(r) != plain(w))
            print("   ", {k: (plain(row.get(k)), want[k]) for k in want if plain(row.get(k)) != plain(want[k])})
        ok &= same
    return ok


def extracted(program, path, *flags):
    ran = subprocess.run([program, "extract", "--json", *flags, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    # A file's own name, where a record has no id, and its line.
    return [{k: v for k, v in record.items() if k != "id"} | {"id": record["id"].rsplit("/", 1)[-1]} for record in found], ran.stderr


def into(program, folder):
    """Writes the same articles in every way, and reads them."""
    import duckdb
    import pandas
    import polars
    import pyarrow
    import pyarrow.parquet

    day = datetime.datetime(2026, 11, 20, 8, 30)
    articles = [
        {
            "id": n,
            "headline": None if n % 5 == 0 else f"Report {n}",
            "content": article(n) if n % 3 else "The envoys of Arvenia and Tolmere met twice on Monday and fixed no date.",
            "published": day + datetime.timedelta(hours=n),
            "tags": ["a", "b"],
            "picture": b"\x89PNG\0\0",
        }
        for n in range(3000)
    ]
    table = pyarrow.Table.from_pylist(articles)
    strings = table.schema.field("headline")
    kinds = {
        "large": pyarrow.large_string(),
        "dictionary": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
        "binary": pyarrow.binary(),
        "string": strings.type,
    }
    written = []

    def place(name):
        written.append(os.path.join(folder, f"{name}.parquet"))
        return written[-1]

    for name, kind in kinds.items():
        columns = [table[c].cast(kind) if c in ("headline", "content") else table[c] for c in table.column_names]
        pyarrow.parquet.write_table(pyarrow.table(columns, names=table.column_names), place(f"arrow-{name}"))
    for codec in ("none", "snappy", "gzip", "zstd"):
        for version in ("1.0", "2.0"):
            pyarrow.parquet.write_table(table, place(f"arrow-{codec}-{version}"), compression=codec, data_page_version=version, row_group_size=700)
    for encoding in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "PLAIN"):
        encodings = {"headline": encoding, "content": encoding, "id": "DELTA_BINARY_PACKED", "published": "DELTA_BINARY_PACKED"}
        pyarrow.parquet.write_table(table, place(f"arrow-{encoding}"), use_dictionary=False, column_encoding=encodings, data_page_size=20_000)
    pyarrow.parquet.write_table(table, place("arrow-int96"), use_deprecated_int96_timestamps=True, version="1.0")
    pandas.DataFrame(articles).to_parquet(place("pandas"))
    polars.DataFrame(articles).write_parquet(place("polars"))
    polars.DataFrame(articles).write_parquet(place("polars-snappy"), compression="snappy", row_group_size=1000)
    stock = table
    duckdb.sql("select * from stock").write_parquet(place("duckdb"))
    duckdb.sql("copy stock to '" + place("duckdb-v2") + "' (format parquet, parquet_version v2, compression zstd)")

    same = os.path.join(folder, "same.jsonl")
    with open(same, "w", encoding="utf-8") as f:
        for record in articles:
            record = {k: v for k, v in record.items() if k not in ("tags", "picture")}
            f.write(json.dumps(record | {"published": record["published"].isoformat()}) + "\n")
    expected, _ = extracted(program, same)
    assert len(expected) == len(articles) and all("text" in record for record in expected), expected[:2]
    ok = True
    for path in written:
        found, said = extracted(program, path)
        good = found == expected
        print(f"in: {os.path.basename(path)}: {'the same' if good else 'DIFFERENT ' + said[:300]}")
        if not good and found:
            print("   ", next(((a, b) for a, b in zip(found, expected) if a != b), len(found)))
        ok &= good
    return ok


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("program")
    a.add_argument("--articles", type=int, default=100_000)
    a.add_argument("--install", action="store_true")
    a = a.parse_args()
    if a.install:
        place = tempfile.mkdtemp()
        try:
            python = os.path.join(place, "bin", "python")
            try:
                venv.create(place, with_pip=True)
                subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
            except subprocess.CalledProcessError:
                print("skipped: pip could not install", *PACKAGES)
                sys.exit(0)
            sys.exit(subprocess.run([python, __file__, a.program, "--articles", str(a.articles)]).returncode)
        finally:
            shutil.rmtree(place)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        print("skipped: python has no", ", ".join(missing), "(--install gets them for the time of the test)")
        sys.exit(0)
    a.program = os.path.abspath(a.program)
    with tempfile.TemporaryDirectory() as folder:
        # First what is measured: the memory of what this process has loaded would count as the program's.
        ok = out(a.program, folder, a.articles)
        ok &= into(a.program, folder)
    print("passed" if ok else "FAILED", f"(peak of the readers {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB)")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
