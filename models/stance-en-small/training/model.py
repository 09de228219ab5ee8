"""The network: a BERT encoder with an evidence head and a stance head.

Parameter names of the encoder are those of Hugging Face's BertModel without a
prefix, so that its checkpoints load as they are. The same class does all three
kinds of arithmetic: float32, bf16 (training, with packed rows) and the 8-bit
arithmetic of the shipped file (see `int8_linear`).

A batch is a set of rows of fixed width. Each row holds one or more windows
laid end to end; `segment` says which window a token belongs to, and a token
attends only to its own window. So nothing is wasted on padding and every batch
has the same shape.
"""

import json
import math

import torch
import torch.nn.functional as F
from torch import nn

LABELS = ["supports", "refutes", "discusses", "unrelated"]


def round_weight(x):
    """One scale per row (last axis): x is about q * scale, |q| <= 127; a row of zeros has scale 1."""
    scale = x.abs().amax(-1, keepdim=True) / 127.0
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.round(x / scale).clamp_(-127, 127), scale


SHARES = 4  # bytes of a wide input


def round_row(x, wide=()):
    """x is about q * scale, one scale per row (last axis): 256 steps span the row's range, zero included; a row of zeros has scale 1.

    The columns `wide`, whose values are far larger than the others, have four times that range.
    """
    bytes_ = torch.ones(x.shape[-1], device=x.device)
    bytes_[list(wide)] = SHARES
    share = x / bytes_
    low, high = share.amin(-1, keepdim=True).clamp(max=0), share.amax(-1, keepdim=True).clamp(min=0)
    scale = (high - low) / 255.0
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.round(-low / scale)
    return torch.minimum(torch.maximum(torch.round(x / scale), -zero * bytes_), (255 - zero) * bytes_), scale


def int8_linear(x, q_weight, w_scale, bias, wide=()):
    """Linear layer as the shipped engine computes it: activations quantised per token.

    float32 holds the integer sums of up to 384 columns exactly ((384 + 32) * 255 * 127 < 2**24);
    wider layers are summed in pieces, and adding exact pieces rounds once, as an int32 sum
    converted to float32 does.
    """
    q, sx = round_row(x, wide)
    y = sum(a @ b.t() for a, b in zip(q.split(384, -1), q_weight.split(384, -1)))
    return y * (sx * w_scale) + bias


attention = F.scaled_dot_product_attention  # train.py puts a faster one here


class Rounded(torch.autograd.Function):
    """Rows rounded to the 8-bit steps of `grid`, `round_weight` or `round_row`, with the gradient passed straight through: training sees
    what the engine does, but for wide inputs, which are not known before the end."""

    @staticmethod
    def forward(ctx, x, grid):
        q, scale = grid(x.float())
        return q.mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class Linear(nn.Linear):
    """A linear layer that can switch to the 8-bit arithmetic once its weight is quantised, or to a likeness of it in training."""

    w_scale = None
    q_weight = None
    wide = ()
    int8 = False
    simulate = False

    def forward(self, x):
        if self.int8:
            return int8_linear(x, self.q_weight, self.w_scale, self.bias, self.wide)
        weight = Rounded.apply(self.weight, round_weight) if self.simulate else self.weight
        return F.linear(x, weight, self.bias)


class Layer(nn.Module):
    """One transformer layer, post-norm, with Hugging Face's parameter names."""

    simulate = False

    def __init__(self, c):
        super().__init__()
        h, i = c["hidden_size"], c["intermediate_size"]
        eps = c["layer_norm_eps"]
        self.heads = c["num_attention_heads"]
        self.attention = nn.Module()
        self.attention.self = nn.Module()
        for name in ("query", "key", "value"):
            setattr(self.attention.self, name, Linear(h, h))
        self.attention.output = nn.Module()
        self.attention.output.dense = Linear(h, h)
        self.attention.output.LayerNorm = nn.LayerNorm(h, eps=eps)
        self.intermediate = nn.Module()
        self.intermediate.dense = Linear(h, i)
        self.output = nn.Module()
        self.output.dense = Linear(i, h)
        self.output.LayerNorm = nn.LayerNorm(h, eps=eps)

    def forward(self, x, allowed, m1, m2):
        r, t, h = x.shape
        att = self.attention

        def split(y):
            return y.view(r, t, self.heads, h // self.heads).transpose(1, 2)

        def eight(y):
            return Rounded.apply(y, round_row) if self.simulate else y

        z = eight(x)
        ctx = attention(split(att.self.query(z)), split(att.self.key(z)), split(att.self.value(z)), attn_mask=allowed)
        ctx = att.output.dense(eight(ctx.transpose(1, 2).reshape(r, t, h)))
        if m1 is not None:
            ctx = ctx * m1
        x = att.output.LayerNorm(x + ctx)
        y = self.output.dense(eight(F.gelu(self.intermediate.dense(eight(x)))))
        if m2 is not None:
            y = y * m2
        return self.output.LayerNorm(x + y)


class Encoder(nn.Module):
    """BertModel without its pooler."""

    def __init__(self, c):
        super().__init__()
        assert c["hidden_act"] == "gelu"
        self.config = c
        h = c["hidden_size"]
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c["vocab_size"], h)
        self.embeddings.position_embeddings = nn.Embedding(c["max_position_embeddings"], h)
        self.embeddings.token_type_embeddings = nn.Embedding(c["type_vocab_size"], h)
        self.embeddings.LayerNorm = nn.LayerNorm(h, eps=c["layer_norm_eps"])
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))

    def forward(self, ids, types, positions, allowed, masks=None, dtype=torch.float32):
        e = self.embeddings
        x = e.word_embeddings(ids) + e.position_embeddings(positions) + e.token_type_embeddings(types)
        x = e.LayerNorm(x).to(dtype)
        for n, layer in enumerate(self.encoder.layer):
            m1, m2 = (None, None) if masks is None else (masks[2 * n], masks[2 * n + 1])
            x = layer(x, allowed, m1, m2)
        return x


class StanceModel(nn.Module):
    """Encoder, evidence head and stance head; see the model card for the formulas."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        h = config["hidden_size"]
        self.encoder = Encoder(config)
        self.evidence = nn.Linear(h, 1)
        self.stance = nn.Module()
        self.stance.dense = nn.Linear(2 * h, h)
        self.stance.out = nn.Linear(h, len(LABELS))
        for lin in (self.evidence, self.stance.dense, self.stance.out):
            nn.init.normal_(lin.weight, std=0.02)
            nn.init.zeros_(lin.bias)
        self.compiled = []  # training may put a compiled encoder here (in a list: not a submodule)

    def simulate_int8(self, on=True):
        """Train in a likeness of the 8-bit arithmetic. The word embeddings, which are not trained, are rounded for good."""
        for module in self.encoder.modules():
            if isinstance(module, (Linear, Layer)):
                module.simulate = on
        if on:
            words = self.encoder.embeddings.word_embeddings.weight
            words.data.copy_(Rounded.apply(words.data, round_weight))

    def heads(self, hidden, batch, dropout=0.0):
        """Evidence logits [pairs, spans] (padding -inf) and stance logits [pairs, 4]."""
        h = hidden.reshape(-1, hidden.shape[-1]).float()
        span = batch["span"]  # token -> span number, spans of the whole batch; the last number is "no span"
        n = batch["n_spans"]
        sums = torch.zeros(n + 1, h.shape[1], device=h.device).index_add(0, span, h)
        means = sums[:n] / batch["span_len"][:, None]
        logit = self.evidence(means)[:, 0]
        grid = batch["grid"]  # [pairs, spans] -> span number, -1 = none
        here = grid >= 0
        g = grid.clamp(min=0)
        e = torch.where(here, logit[g], torch.full_like(g, float("-inf"), dtype=torch.float))
        a = e.softmax(1)
        cls = h[batch["cls"]]  # [windows, H]
        c = cls[batch["span_window"]]  # [spans, H]
        both = torch.cat([c, means], 1)[g]
        x = (a[:, :, None] * both).sum(1)
        if dropout and self.training:
            x = F.dropout(x, dropout)
        y = F.gelu(F.linear(x, self.stance.dense.weight, self.stance.dense.bias))
        return e, self.stance.out(y)

    def forward(self, batch, masks=None, dtype=torch.float32, dropout=0.0):
        hidden = (self.compiled[0] if self.compiled else self.encoder)(
            batch["ids"], batch["types"], batch["positions"], batch["allowed"].to(dtype), masks, dtype
        )
        return self.heads(hidden, batch, dropout)


def load_base(folder, config=None):
    """A StanceModel whose encoder comes from a Hugging Face BERT folder (config.json, model.safetensors)."""
    from safetensors.torch import load_file

    if config is None:
        config = json.load(open(f"{folder}/config.json"))
    model = StanceModel(config)
    state = load_file(f"{folder}/model.safetensors")
    state = {k.removeprefix("bert."): v for k, v in state.items()}
    state = {k: v.float() for k, v in state.items() if not k.startswith("pooler.") and "position_ids" not in k}
    missing, unexpected = model.encoder.load_state_dict(state, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    return model


def pack(pairs, width, rows=None, device="cpu"):
    """Lay the windows of some (claim, article) pairs into rows of `width` tokens: one batch.

    Each pair is a list of windows with `ids`, `types` and `spans` (start, end inside the window).
    """
    free, placed = [], []
    order = sorted(
        ((len(w["ids"]), p, k) for p, ws in enumerate(pairs) for k, w in enumerate(ws)), key=lambda x: -x[0]
    )
    slots = {}
    for n, p, k in order:
        for r, used in enumerate(free):
            if used + n <= width:
                slots[p, k] = (r, used)
                free[r] += n
                break
        else:
            slots[p, k] = (len(free), 0)
            free.append(n)
    if rows is None:
        rows = len(free)
    assert len(free) <= rows, "batch does not fit"
    ids = torch.zeros(rows, width, dtype=torch.long)
    types = torch.zeros(rows, width, dtype=torch.long)
    positions = torch.zeros(rows, width, dtype=torch.long)
    segment = torch.zeros(rows, width, dtype=torch.long)  # 0: padding, attends to padding
    n_spans = sum(len(w["spans"]) for ws in pairs for w in ws)
    span = torch.full((rows * width,), n_spans, dtype=torch.long)
    span_len, span_window, cls, grid = [], [], [], []
    s = w_no = 0
    for p, windows in enumerate(pairs):
        mine = []
        for k, w in enumerate(windows):
            r, c = slots[p, k]
            n = len(w["ids"])
            ids[r, c : c + n] = torch.tensor(w["ids"])
            types[r, c : c + n] = torch.tensor(w["types"])
            positions[r, c : c + n] = torch.arange(n)
            segment[r, c : c + n] = w_no + 1
            cls.append(r * width + c)
            for a, b in w["spans"]:
                span[r * width + c + a : r * width + c + b] = s
                span_len.append(b - a)
                span_window.append(w_no)
                mine.append(s)
                s += 1
            w_no += 1
        grid.append(mine)
    most = max(map(len, grid))
    out = dict(
        ids=ids,
        types=types,
        positions=positions,
        allowed=torch.where(segment[:, None, :, None] == segment[:, None, None, :], 0.0, -math.inf),
        span=span,
        span_len=torch.tensor(span_len, dtype=torch.float),
        span_window=torch.tensor(span_window),
        cls=torch.tensor(cls),
        grid=torch.tensor([g + [-1] * (most - len(g)) for g in grid]),
    )
    out = {k: v.to(device) for k, v in out.items()}
    out["n_spans"] = n_spans
    return out
