"""The rewriter's model: SmolLM2 out of a GGUF file, a LoRA on its seven linear layers, its prompt, and greedy decoding.

Shared by train.py and measure.py. The adapter is written and read in PEFT's format, in the layout of transformers: a GGUF file keeps the
rows of attn_q and attn_k in another order, and whoever adds lora_B to those must reorder its rows likewise.
"""

import json
import math
import os

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, GgufConfig

INSTRUCTION = "Shorten this news text to a sentence or two. Use its own words. Keep every name, number, date, denial and doubt. Add nothing."
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class LoRA(torch.nn.Module):
    """A frozen linear layer plus scale * B A. A and B are kept in float32 and used in the type of the layer."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.A = torch.nn.Parameter(torch.empty(rank, base.in_features))
        self.B = torch.nn.Parameter(torch.zeros(base.out_features, rank))
        torch.nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, x):
        dtype = x.dtype
        low = torch.nn.functional.linear(x, self.A.to(dtype))
        return self.base(x) + torch.nn.functional.linear(low, (self.B * self.scale).to(dtype))


def load(gguf, dtype=torch.bfloat16):
    """The model, dequantised and frozen, and its tokenizer."""
    folder, name = os.path.split(os.path.abspath(gguf))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=dtype, quantization_config=GgufConfig(dequantize=True))
    model.requires_grad_(False)
    return model.eval(), tokenizer


def add_lora(model, rank=16, alpha=32):
    """Puts a LoRA on every target layer; gives them by their PEFT names."""
    found = {}
    for i, layer in enumerate(model.model.layers):
        for part in ("self_attn", "mlp"):
            block = getattr(layer, part)
            for name in TARGETS:
                if hasattr(block, name):
                    lora = LoRA(getattr(block, name), rank, alpha)
                    setattr(block, name, lora)
                    found[f"base_model.model.model.layers.{i}.{part}.{name}"] = lora
    return found


def save_adapter(loras, folder, rank=16, alpha=32, base="HuggingFaceTB/SmolLM2-135M-Instruct"):
    os.makedirs(folder, exist_ok=True)
    tensors = {}
    for name, lora in loras.items():
        tensors[name + ".lora_A.weight"] = lora.A.detach().to(torch.bfloat16).contiguous()
        tensors[name + ".lora_B.weight"] = lora.B.detach().to(torch.bfloat16).contiguous()
    part = os.path.join(folder, "adapter_model.safetensors")
    save_file(tensors, part + ".part", metadata={"format": "pt"})
    os.replace(part + ".part", part)
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": rank, "lora_alpha": alpha,
        "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True,
        "use_rslora": False, "use_dora": False, "modules_to_save": None, "target_modules": TARGETS,
    }
    with open(os.path.join(folder, "adapter_config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")


def load_adapter(model, folder):
    config = json.load(open(os.path.join(folder, "adapter_config.json")))
    tensors = load_file(os.path.join(folder, "adapter_model.safetensors"))
    loras = add_lora(model, config["r"], config["lora_alpha"])
    for name, lora in loras.items():
        lora.A.data = tensors.pop(name + ".lora_A.weight").float()
        lora.B.data = tensors.pop(name + ".lora_B.weight").float()
    assert not tensors, f"tensors of the adapter that fit no layer: {list(tensors)[:3]}"
    return loras


class Prompt:
    """Token ids of prompts and answers. What stands between two special tokens is tokenised as plain text: markup in it is only letters."""

    def __init__(self, tokenizer):
        data = json.loads(tokenizer.backend_tokenizer.to_str())
        special = {t["content"]: t["id"] for t in data["added_tokens"]}
        data["added_tokens"], data["truncation"], data["padding"], data["post_processor"] = [], None, None, None
        self.plain = Tokenizer.from_str(json.dumps(data))
        self.start, self.end = special["<|im_start|>"], special["<|im_end|>"]
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": "@@"}], add_generation_prompt=True, tokenize=False)
        head, tail = rendered.split("@@")
        # The template in pieces, by its special tokens: (special, text) and so on; the user's text joins the last piece of the head.
        self.head, self.tail = self.pieces(head), self.pieces(tail)
        want = tokenizer.apply_chat_template([{"role": "user", "content": INSTRUCTION + "\n\nOslo said no."}], add_generation_prompt=True, tokenize=True)
        want = want["input_ids"] if hasattr(want, "keys") else want
        assert self("Oslo said no.") == list(want), (self("Oslo said no."), want)

    @staticmethod
    def pieces(text):
        out, rest = [], text
        while rest:
            for mark in ("<|im_start|>", "<|im_end|>"):
                if rest.startswith(mark):
                    out.append(mark)
                    rest = rest[len(mark):]
                    break
            else:
                n = min([i for i in (rest.find("<|im_start|>"), rest.find("<|im_end|>")) if i >= 0] or [len(rest)])
                out.append(rest[:n])
                rest = rest[n:]
        return out

    def ids(self, pieces):
        marks = {"<|im_start|>": [self.start], "<|im_end|>": [self.end]}
        return [i for p in pieces for i in (marks[p] if p in marks else self.plain.encode(p, add_special_tokens=False).ids)]

    def __call__(self, text):
        content = INSTRUCTION + "\n\n" + text
        return self.ids(self.head[:-1]) + self.plain.encode(self.head[-1] + content, add_special_tokens=False).ids + self.ids(self.tail)

    def answer(self, text):
        return self.plain.encode(text, add_special_tokens=False).ids + [self.end]


@torch.inference_mode()
def generate(model, tokenizer, prompt, text, limit=100):
    """Greedy: at each step the likeliest token, until the end mark."""
    ids = torch.tensor([prompt(text)])
    past, out = DynamicCache(config=model.config), []
    for _ in range(limit):
        hidden = model.model(input_ids=ids, past_key_values=past, use_cache=True).last_hidden_state[0, -1]
        token = int(model.lm_head(hidden).argmax())
        if token == prompt.end:
            break
        out.append(token)
        ids = torch.tensor([[token]])
    return tokenizer.decode(out).strip()
