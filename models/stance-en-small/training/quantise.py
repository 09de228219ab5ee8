"""Write a trained checkpoint as the shipped int8 folder: weights, tokenizer, config, manifest.

    python quantise.py --base BASE_FOLDER --checkpoint model.pt [more.pt ...] --out ..

Linear weights of the encoder layers and the word embeddings become int8 with
one scale per row; everything else stays float32. Of several checkpoints the weights are averaged.
"""

import argparse
import hashlib
import json
import pathlib

import torch
from safetensors.torch import load_file, save_file

from data import read_jsonl
from model import LABELS, Linear, StanceModel, load_base, pack
from text import PlainTokenizer, split_sentences, windows

DATA = pathlib.Path(__file__).parent / "data"

MANIFEST = """schema = 1
name = "{name}"
version = "{version}"
task = "stance"
architecture = "bert"
languages = ["en"]
license = "Apache-2.0"
base = "{base}"
weights = "model.safetensors"
weights_sha256 = "{weights}"
tokenizer = "tokenizer.json"
tokenizer_sha256 = "{tokenizer}"
config = "config.json"
config_sha256 = "{config}"
labels = {labels}
temperature = {temperature}

[input]
window = {window}
claim = {claim}
title = {title}
"""


def quantise_rows(w):
    """int8 rows and their scales: the scale that training simulates, the row's largest weight over 127."""
    top = w.abs().amax(1) / 127.0
    top = torch.where(top == 0, torch.ones_like(top), top)
    return torch.round(w / top[:, None]).clamp(-127, 127).to(torch.int8), top


def is_int8(name):
    """Which tensors of the encoder are stored as int8."""
    dense = ("query.weight", "key.weight", "value.weight", "dense.weight")
    return name == "embeddings.word_embeddings.weight" or (name.startswith("encoder.layer.") and name.endswith(dense))


def flat_state(model):
    """State dict with the names of the file: the encoder without a prefix, then the heads."""
    return {k.removeprefix("encoder."): v for k, v in model.state_dict().items()}


def unflat_state(state):
    """The way back: file names to the names inside StanceModel."""
    heads = ("evidence.", "stance.")
    return {k if k.startswith(heads) else "encoder." + k: v for k, v in state.items()}


WIDE = 4  # as many inputs of a layer may be spread over several bytes


def wide_inputs(model, tokenizer):
    """name of a weight -> the inputs with the largest values, over some of the training articles."""
    tok = PlainTokenizer(tokenizer)
    rows = read_jsonl(DATA / "web-more3.jsonl")[:30] + read_jsonl(DATA / "wire-more6.jsonl")[:60]
    pairs = [windows(tok, r["claims"][0]["claim"], r["title"], split_sentences(r["text"]))[0] for r in rows]
    top = {}

    def look(name):
        def hook(module, inputs):
            values = inputs[0].detach().abs().flatten(0, -2).amax(0)
            top[name] = torch.maximum(top[name], values) if name in top else values

        return hook

    layers = [(name, m) for name, m in model.encoder.named_modules() if isinstance(m, Linear)]
    hooks = [m.register_forward_pre_hook(look(name)) for name, m in layers]
    model.eval()
    with torch.no_grad():
        for start in range(0, len(pairs), 10):
            model(pack(pairs[start : start + 10], 256))
    for hook in hooks:
        hook.remove()
    return {f"{name}.weight": values.topk(WIDE).indices.sort().values.to(torch.int32) for name, values in top.items()}


def quantised(model, wide):
    """The tensors of the int8 file."""
    out = {f"{name}_wide": inputs for name, inputs in wide.items()}
    for name, w in flat_state(model).items():
        w = w.detach().float().contiguous()
        if is_int8(name):
            out[name], out[name + "_scale"] = quantise_rows(w)
        else:
            out[name] = w
    return out


def load_quantised(folder, int8=True):
    """The shipped model in PyTorch, with its 8-bit arithmetic or (int8=False) dequantised in float32."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    file = load_file(folder / "model.safetensors")
    state = {}
    for name, w in file.items():
        if name.endswith(("_scale", "_wide")):
            continue
        state[name] = w.float() * file[name + "_scale"][:, None] if w.dtype == torch.int8 else w
    model = StanceModel(config)
    model.load_state_dict(unflat_state(state))
    if int8:
        for name, module in model.encoder.named_modules():
            if isinstance(module, Linear):
                module.int8 = True
                module.q_weight = file[name + ".weight"].float()
                module.w_scale = file[name + ".weight_scale"]
                module.wide = file[name + ".weight_wide"].tolist() if name + ".weight_wide" in file else ()
    return model.eval()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_tokenizer(source, path):
    """tokenizer.json of the base model without truncation and padding: the engine does both itself."""
    data = json.loads(pathlib.Path(source).read_text())
    data["truncation"] = None
    data["padding"] = None
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_manifest(out, **more):
    """manifest.toml with the sums of the files that lie beside it."""
    values = dict(
        name="stance-en-small", version="0.1.0", base="sentence-transformers/all-MiniLM-L6-v2", temperature=1.0,
        window=256, claim=64, title=48, labels=json.dumps(LABELS),
    )
    values.update(more)
    values.update(weights=sha256(out / "model.safetensors"), tokenizer=sha256(out / "tokenizer.json"),
                  config=sha256(out / "config.json"))
    (out / "manifest.toml").write_text(MANIFEST.format(**values))


def write_folder(model, base, out, **manifest):
    """Weights, tokenizer, config and manifest of a model folder."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    wide = wide_inputs(model, f"{base}/tokenizer.json")
    save_file(quantised(model, wide), out / "model.safetensors", metadata={"format": "tidings-int8-1"})
    (out / "model.safetensors").chmod(0o644)
    write_tokenizer(f"{base}/tokenizer.json", out / "tokenizer.json")
    config = {k: v for k, v in model.config.items() if not k.startswith("_") and k != "transformers_version"}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_manifest(out, **manifest)
    size = (out / "model.safetensors").stat().st_size
    assert size < 26_000_000, size
    print("wrote", size, "bytes")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--base", required=True)
    a.add_argument("--checkpoint", nargs="+", help="state dicts of a StanceModel; without any the heads stay random")
    a.add_argument("--out", default="..")
    a.add_argument("--temperature", type=float, default=1.0)
    a = a.parse_args()
    torch.manual_seed(0)
    model = load_base(a.base)
    if a.checkpoint:
        states = [torch.load(path, map_location="cpu")["model"] for path in a.checkpoint]
        model.load_state_dict({k: sum(s[k] for s in states) / len(states) for k in states[0]})
    write_folder(model, a.base, a.out, temperature=a.temperature)


if __name__ == "__main__":
    main()
