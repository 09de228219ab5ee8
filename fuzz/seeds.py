#!/usr/bin/env python3
"""Writes the seeds beside it: small files of the shapes that come from outside, all of them our own. What fuzzing found is kept there too, by name."""

import gzip
import json
import os
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "tests")
NAMES = ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.html", "a.txt", "a.md", "a", "a.jsonl.gz", "a.csv.zst", "a.txt.gz"]


def seed(target, name, content):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def file(below):
    with open(os.path.join(TESTS, below), "rb") as f:
        return f.read()


def reading(name, shape, content, keep=False):
    """The first byte names the file that the rest is read as."""
    letter = chr(ord("A" if keep else "a") + NAMES.index(shape))
    content = content if isinstance(content, bytes) else content.encode()
    seed("reading", f"{shape.replace('.', '-')}-{name}", letter.encode() + content)


def gguf():
    """A decoder of one layer and two words, all zeros: what a file of it has to say."""
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()  # noqa: E731
    values = {"general.architecture": (8, text("llama")), "llama.attention.layer_norm_rms_epsilon": (6, struct.pack("<f", 1e-5))}
    for key, n in dict(context_length=600, embedding_length=4, block_count=1, feed_forward_length=4).items():
        values["llama." + key] = (4, struct.pack("<I", n))
    for key, n in {"head_count": 2, "head_count_kv": 1}.items():
        values["llama.attention." + key] = (4, struct.pack("<I", n))
    words = lambda *w: struct.pack("<IQ", 8, len(w)) + b"".join(map(text, w))  # noqa: E731
    values["tokenizer.ggml.model"] = (8, text("gpt2"))
    values["tokenizer.ggml.pre"] = (8, text("gpt-2"))
    values["tokenizer.ggml.tokens"] = (9, words("Y", "N", "M", "U"))
    values["tokenizer.ggml.merges"] = (9, words())
    values["tokenizer.chat_template"] = (8, text("{{ messages[0].content }}"))
    shapes = {"token_embd": (4, 4), "output_norm": (4,)}
    layer = dict(attn_norm=(4,), attn_q=(4, 4), attn_k=(4, 2), attn_v=(4, 2), attn_output=(4, 4), ffn_norm=(4,), ffn_gate=(4, 4), ffn_up=(4, 4), ffn_down=(4, 4))
    shapes |= {f"blk.0.{name}": shape for name, shape in layer.items()}
    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(values))
    out += b"".join(text(key) + struct.pack("<I", kind) + value for key, (kind, value) in values.items())
    offset = 0
    for name, shape in shapes.items():
        out += text(name + ".weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += -(-4 * shape[0] * (shape[1] if len(shape) > 1 else 1) // 32) * 32
    return out + bytes(-len(out) % 32 + offset)


def main():
    line = '{"id":"a1","title":"River talks","text":"The envoys met twice on Monday and fixed no date.","desk":7,"tags":["x",null]}\n'
    other = '{"url":"u","headline":"Two \\u00e9\\ud83d\\ude00","articleBody":"<p>They said no.</p>","claim":"A treaty was signed.","published":"2026-11-20"}\n'
    reading("lines", "a.jsonl", line + other + "\n[1]\nnonsense\n" + '{"text":null}\n', keep=True)
    reading("sniffed", "a", line + other)
    reading("array", "a.json", f"[{line},{other}]", keep=True)
    reading("object", "a.json", line.replace(",", ",\n"))
    reading("utf16", "a.jsonl", (line + other).encode("utf-16"))
    reading("cp1251", "a.jsonl", '{"text":"Переговоры начнутся в понедельник."}\n'.encode("cp1251"))
    table = 'id,title,text,claim\r\na,"One, ""quoted""","The talks\nopen on Monday.",\r\nb,Two,Short\r\nc,,"Never closed,\n'
    reading("table", "a.csv", table, keep=True)
    reading("semicolons", "a.csv", table.replace(",", ";"))
    reading("tabs", "a.tsv", table.replace(",", "\t"))
    reading("sniffed-table", "a", table)
    reading("page", "a.html", file("data/pages/harbour-pay.html"))
    reading("fragment", "a.html", '<div class=a><p>One<b>two<p>three</div><script>x="</p>"</script><table><tr><td>4<svg><title>t</title></svg><!--c-->')
    reading("charset", "a.html", "<meta charset=windows-1252><title>t</title><p>Caf\u00e9 talks open on Monday.</p>".encode("cp1252"))
    reading("wire", "a.txt", file("data/wire/ceasefire-wrapped.txt"))
    reading("dump", "a.txt", file("data/noisy/bridge-blog.txt"))
    reading("leaflet", "a.md", file("data/hostile/leaflet.txt"))
    reading("markdown", "a.md", "# Talks *open*\n\n* [Home](/)\n* one\n\n> They **said** no.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n")
    reading("lines", "a.jsonl.gz", gzip.compress((line + other).encode(), mtime=0))
    reading("text", "a.txt.gz", gzip.compress(b"The talks open on Monday.\n" * 20, mtime=0) + gzip.compress(b"More.", mtime=0))
    packed = subprocess.run(["zstd", "-q", "-c"], input=table.encode(), stdout=subprocess.PIPE, check=True).stdout
    reading("table", "a.csv.zst", packed)
    for name in sorted(os.listdir(os.path.join(TESTS, "data/parquet"))):
        if name.endswith(".parquet"):
            reading(name.removesuffix(".parquet"), "a.parquet", file(f"data/parquet/{name}"), keep="delta" in name)

    for name in ("wire/river-talks.txt", "noisy/bridge-blog.txt", "noisy/market-square.txt", "hostile/leaflet.txt", "foreign/de.txt"):
        text = file(f"data/{name}")
        seed("cleaning", os.path.basename(name), b"t" + text)
        seed("cleaning", "titled-" + os.path.basename(name), b"i" + text)
    seed("cleaning", "odd.html", "h<!doctype html><html lang=en><head><title>One | Site</title><meta property='og:title' content='One'></head><body><article><h1>One</h1><p>By A. Writer<p>The talks open.<br>On Monday.</article>")
    text = file("data/sentences.txt").decode()
    for at, part in enumerate(text.split("\n\n")):
        if part.strip() and at % 4 == 0:
            seed("sentences", f"cases-{at:02}.txt", part)
    seed("sentences", "marks.txt", "He said: \u201cNo!\u201d \u2026 \u2013 U.S. Sen. J. R. Oak (D., Ore.) met No. 3 at 9 a.m. Then? 3.5 per cent\u2026 e.g. 会談。次回は未定。\u200b\u0301a")
    seed("manifest", "tiny.toml", file("fixtures/tiny_bert/manifest.toml"))
    package = '\n[package]\nname = "a-package"\nversion = "1.2.0"\nsha256 = "%s"\nmembers = { "model.safetensors" = "a/model.safetensors" }\n' % ("0" * 64)
    seed("manifest", "package.toml", file("fixtures/tiny_bert/manifest.toml") + package.encode())
    weights = file("fixtures/tiny_bert/model.safetensors")
    (length,) = struct.unpack("<Q", weights[:8])
    seed("model", "header", b"h" + weights[8 : 8 + length])
    small = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    seed("model", "weights", b"w" + struct.pack("<Q", len(small)) + small + bytes(8))
    seed("model", "tokenizer", b"t" + file("fixtures/tiny_bert/tokenizer.json"))
    decoder = "fixtures/decoders/llama"
    weights = file(f"{decoder}/model.safetensors")
    (length,) = struct.unpack("<Q", weights[:8])
    seed("decoder", "header", b"h" + weights[8 : 8 + length])
    seed("decoder", "config", b"c" + file(f"{decoder}/config.json"))
    seed("decoder", "template", "j" + json.loads(file(f"{decoder}/tokenizer_config.json"))["chat_template"])
    index = {"weight_map": {name: "a.safetensors" for name in json.loads(weights[8 : 8 + length]) if name != "__metadata__"}}
    seed("decoder", "index", "i" + json.dumps(index))
    seed("decoder", "gguf", b"g" + gguf())
    seed("model", "config", b"c" + file("fixtures/tiny_bert/config.json"))

    answer = {
        "schema": 1, "id": "a", "title": "=One", "date": "2026-11-20", "language": "en", "claim": "Talks.", "stance": "refutes", "label": "no",
        "scores": {"yes": 0.1, "no": 0.7, "open": 0.2, "off": 0.0}, "evidence": [{"text": "A.", "start": 0, "end": 2, "score": 0.9}],
        "summary": {"text": "A.", "sentences": [{"text": "A.", "mode": "extracted", "check": "copied", "sources": [[0, 2]]}]},
        "model": "m@1", "tokens": 7, "windows": 1, "truncated": False, "abstained": True, "fields": {"desk": 1},
    }  # fmt: skip
    error = {"schema": 1, "id": "</script>", "error": {"kind": "empty", "message": "no article text found"}}
    lines = "".join(json.dumps(record) + "\n" for record in (answer, error))
    seed("records", "both.jsonl", lines)
    head = '{"tidings":"0.1.0","settings":{}}\n'
    size = len(lines)
    first = len(lines.split("\n")[0]) + 1
    steps = [{"articles": 1, "bytes": first, "inputs": "0" * 64, "failed": []}, {"articles": 2, "bytes": size, "inputs": "1" * 64, "failed": [[1, "empty", False]]}]
    log = head + "".join(json.dumps(step) + "\n" for step in steps)
    seed("journal", "whole", f"{lines}\0{log}")
    seed("journal", "torn", f"{lines[:-20]}\0{log}")
    seed("journal", "zeros", lines[:-20] + "\\0" * 20 + f"\0{log[:-9]}\0{log}")


main()
