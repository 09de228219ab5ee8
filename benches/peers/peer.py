"""Other systems on our weights and our windows, behind the lines that `tidings bench --against` speaks.

    python peer.py export FOLDER     write the ONNX files that the ONNX peers read, and check them
    python peer.py KIND FOLDER       be a subject: torch-f32, torch-bf16, onnx-f32 or onnx-int8; on a GPU torch-f32-cuda, torch-f16-cuda or
                                     torch-bf16-cuda

Each peer is given its best chance: fast tokenizers, windows sorted by length so that little is padded, the batch size that is fastest
on these windows (tried before anything is timed), its own graph optimiser. It computes the encoder alone, without our two heads.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np

MODEL = pathlib.Path(__file__).resolve().parents[2] / "models/stance-en-small"
BATCHES = {"cpu": [4, 8, 16, 32, 64], "cuda": [64, 128, 256, 512, 1024]}


def torch_model(dtype="float32"):
    """Our encoder as Hugging Face's BertModel, its 8-bit weights spread out to float."""
    import torch
    from safetensors.numpy import load_file
    from transformers import BertConfig, BertModel

    file = load_file(MODEL / "model.safetensors")
    state = {}
    for name, w in file.items():
        if name.endswith(("_scale", "_wide")) or name.startswith(("evidence.", "stance.")):
            continue
        if w.dtype == np.int8:
            w = w.astype(np.float32) * file[name + "_scale"][:, None]
        state[name] = torch.tensor(w)
    config = BertConfig.from_json_file(MODEL / "config.json")
    config._attn_implementation = "sdpa"
    model = BertModel(config, add_pooling_layer=False)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and not [m for m in missing if "position_ids" not in m], (missing, unexpected)
    return model.to(getattr(torch, dtype)).eval()


class Torch:
    def __init__(self, dtype, threads, device="cpu"):
        import torch

        self.torch = torch
        self.device = device
        torch.set_num_threads(threads)
        self.model = torch_model(dtype).to(device)

    def encode(self, ids, types, mask):
        with self.torch.inference_mode():
            def t(array):
                return self.torch.from_numpy(array).to(self.device)

            out = self.model(input_ids=t(ids), token_type_ids=t(types), attention_mask=t(mask)).last_hidden_state
            # From a GPU only what a head would read is copied, and waited for.
            return (out if self.device == "cpu" else out[:, 0]).float().cpu().numpy()


class Onnx:
    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def encode(self, ids, types, mask):
        return self.session.run(None, {"input_ids": ids, "token_type_ids": types, "attention_mask": mask})[0]


def pad(windows):
    """ids, types and mask [windows, longest] of (ids, claim) windows."""
    longest = max(len(ids) for ids, _ in windows)
    ids, types, mask = (np.zeros((len(windows), longest), np.int64) for _ in range(3))
    for row, (window, claim) in enumerate(windows):
        ids[row, : len(window)] = window
        types[row, claim : len(window)] = 1
        mask[row, : len(window)] = 1
    return ids, types, mask


def export(folder):
    """model.onnx, optimised, and model-int8.onnx, its weights and products in 8 bits (ONNX Runtime's dynamic quantisation)."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    folder.mkdir(parents=True, exist_ok=True)
    model = torch_model()
    windows = [(list(range(1000, 1040)), 8), (list(range(2000, 2100)), 12)]
    ids, types, mask = map(torch.from_numpy, pad(windows))

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, token_type_ids, attention_mask):
            out = self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask)
            return out.last_hidden_state

    # Plain products and the older exporter, whose graphs ONNX Runtime's optimiser knows how to fuse: attention too.
    model.config._attn_implementation = "eager"
    names = ["input_ids", "token_type_ids", "attention_mask"]
    torch.onnx.export(
        Encoder(), (ids, types, mask), str(folder / "plain.onnx"), dynamo=False, opset_version=17,
        input_names=names, output_names=["states"],
        dynamic_axes={name: {0: "windows", 1: "tokens"} for name in [*names, "states"]},
    )
    fused = optimizer.optimize_model(
        str(folder / "plain.onnx"), model_type="bert", num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
    )
    found = fused.get_fused_operator_statistics()
    print("fused:", {name: count for name, count in found.items() if count}, file=sys.stderr)
    assert found.get("Attention") == model.config.num_hidden_layers, "attention is not fused: not its best"
    fused.save_model_to_file(str(folder / "model.onnx"))
    quantize_dynamic(
        folder / "model.onnx", folder / "model-int8.onnx", weight_type=QuantType.QInt8, per_channel=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # of what fused operators give
    )
    # The files compute what the model does.
    wanted = Torch("float32", 1).encode(*pad(windows))
    real = pad(windows)[2] == 1
    for name, least in [("model.onnx", 0.9999), ("model-int8.onnx", 0.7)]:
        found = Onnx(folder / name, 1).encode(*pad(windows))
        a, b = wanted[real], found[real]
        cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        print(f"{name}: least cosine {cosine.min():.5f}", file=sys.stderr)
        assert cosine.min() > least, name


class Peer:
    """A system with the windows that it reads."""

    def __init__(self, kind, folder, start):
        from tokenizers import Tokenizer

        threads = start["setup"]["threads"]
        began = time.perf_counter()
        device = "cuda" if kind.endswith("-cuda") else "cpu"
        if kind.startswith("torch-"):
            dtype = kind.removeprefix("torch-").removesuffix("-cuda")
            self.system = Torch({"f32": "float32", "f16": "float16", "bf16": "bfloat16"}[dtype], threads, device)
        else:
            self.system = Onnx(folder / {"onnx-f32": "model.onnx", "onnx-int8": "model-int8.onnx"}[kind], threads)
        self.tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self.load = time.perf_counter() - began
        self.windows = sorted(((ids, claim) for ids, claim in start["windows"]), key=lambda w: len(w[0]))
        # Text that has these tokens, nearly: what tokenising costs, each window once.
        self.texts = [self.tokenizer.decode(ids) for ids, _ in self.windows]
        self.batch = BATCHES[device][0]
        self.encode()
        self.batch = min(BATCHES[device], key=self.seconds_with)

    def seconds_with(self, batch):
        self.batch = batch
        return min(self.timed(self.encode) for _ in range(2))

    @staticmethod
    def timed(work):
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def tokenise(self):
        return self.tokenizer.encode_batch(self.texts)

    def encode(self):
        for at in range(0, len(self.windows), self.batch):
            self.system.encode(*pad(self.windows[at : at + self.batch]))

    def answer(self, request):
        if request == "whole":
            return {"whole": {"seconds": self.timed(lambda: (self.tokenise(), self.encode()))}}
        if request == "stages":
            return {"stages": {"tokenise": self.timed(self.tokenise), "encode": self.timed(self.encode)}}
        if request == "memory":
            return {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if isinstance(request, dict) and "latency" in request:
            first, count = request["latency"]
            seconds = []
            for i in range(first, first + count):
                window, text = self.windows[i % len(self.windows)], self.texts[i % len(self.windows)]
                seconds.append(self.timed(lambda: (self.tokenizer.encode(text), self.system.encode(*pad([window])))))
            return {"latency": seconds}
        return "none"


def version(kind):
    import importlib.metadata as metadata

    package = "torch" if kind.startswith("torch") else "onnxruntime"
    return f"{kind} ({package} {metadata.version(package)})"


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind == "export":
        return export(folder)
    # What libraries print must not get between the lines.
    out, sys.stdout = sys.stdout, sys.stderr

    def say(reply):
        print(json.dumps(reply), file=out, flush=True)

    start = json.loads(sys.stdin.readline())
    peer = Peer(kind, folder, start)
    tokens = sum(len(ids) for ids, _ in peer.windows)
    size = {"articles": start["articles"], "failed": 0, "windows": len(peer.windows), "tokens": tokens}
    name = f"{version(kind)}, batches of {peer.batch}"
    say({"ready": {"name": name, "load": peer.load, "size": size}})
    for line in sys.stdin:
        say(peer.answer(json.loads(line)))


if __name__ == "__main__":
    main()
