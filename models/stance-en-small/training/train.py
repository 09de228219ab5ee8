"""Train stance-en-small from the base model: one command, on CPU, resumable.

    python train.py --base BASE_FOLDER --data data --public PUBLIC --work WORK --out ..

BASE_FOLDER is all-MiniLM-L6-v2 (see README.md), PUBLIC holds `fnc-1/` and `rte.jsonl`. Checkpoints go to WORK;
the same command goes on from the newest one. First a warm start on public stance and entailment data, then our
own articles, then a short stage in which plain news prose weighs more, run twice with different
seeds; the average of their moving averages is quantised into the model folder.
"""

import argparse
import json
import math
import os
import random
import time

import torch
import torch.nn.functional as F

import model as network
from data import MAIN, PLAIN, Sampler, fnc_bodies, from_fnc, from_rte, held_out, load_articles
from evaluate import measure, tasks
from model import load_base, pack
from quantise import load_quantised, write_folder
from text import PlainTokenizer, windows


def plain_attention(q, k, v, attn_mask=None):
    """Attention written out: in bf16 on CPU its backward pass is a fifth faster than the fused one's."""
    s = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + attn_mask
    return s.softmax(-1).to(v.dtype) @ v


class Masks:
    """Dropout masks cut from one random pool: the CPU generator takes longer than the network."""

    def __init__(self, p, device, size=1 << 24):
        self.pool = ((torch.rand(size) > p).to(torch.bfloat16) / (1 - p)).to(device)

    def __call__(self, count, *shape):
        n = math.prod(shape)
        at = torch.randint(0, len(self.pool) - n, (count,)).tolist()
        return [self.pool[i : i + n].view(*shape) for i in at]


def batches(examples, tok, budget, limit=14):
    """Token-budget batches of examples in random order; an article of more than `limit` windows is cut."""
    batch, used = [], 0
    for ex in examples:
        ws, origin = windows(tok, ex["claim"], ex["title"], ex["sentences"])
        if len(ws) > limit:
            ws = ws[:limit]
            origin = origin[: sum(len(w["spans"]) for w in ws)]
        n = sum(len(w["ids"]) for w in ws)
        if batch and used + n > budget:
            yield batch
            batch, used = [], 0
        batch.append((ex, ws, origin))
        used += n
    if batch:
        yield batch


def loss_of(e, s, batch, evidence_weight, smoothing):
    """Stance loss plus evidence loss of one batch."""
    log_p = s.log_softmax(1)
    total = 0.0
    evidence, known = 0.0, 0
    for i, (ex, _, origin) in enumerate(batch):
        if ex["label"] is None:  # "not entailed": refuted or open or unrelated
            total = total - torch.log1p(-log_p[i, 0].exp().clamp(max=0.9999))
        else:
            total = total - (1 - smoothing) * log_p[i, ex["label"]] - smoothing * log_p[i].mean()
        if ex["gold"] is not None:
            gold = torch.tensor([float(ex["gold"][o]) for o in origin], device=s.device)
            sure = gold >= 0
            if not sure.any():
                continue
            logit = e[i, : len(origin)][sure]
            gold = gold[sure]
            evidence = evidence + F.binary_cross_entropy_with_logits(logit, gold)
            if gold.any():  # the pooling itself must rest on the gold sentences
                evidence = evidence - 0.3 * (logit.log_softmax(0) + torch.where(gold > 0, 0.0, -1e4)).logsumexp(0)
            known += 1
    out = total / len(batch)
    if known:
        out = out + evidence_weight * evidence / known
    return out


def groups(model, lr, head_lr, decay, weight_decay, frozen=0):
    """Parameter groups: lower layers learn slower, the word embeddings not at all, no decay for norms and biases.
    With `frozen` so many of the lowest layers and all embeddings stay as they are, which saves a quarter of the time for two."""
    depth = model.config["num_hidden_layers"]
    out = {}
    for name, p in model.named_parameters():
        layer = int(name.split(".")[3]) if name.startswith("encoder.encoder.layer.") else None
        p.requires_grad = not ("word_embeddings" in name or frozen and (name.startswith("encoder.embeddings.") or layer is not None and layer < frozen))
        if not p.requires_grad:
            continue
        if layer is not None:
            rate = lr * decay ** (depth - 1 - layer)
        elif name.startswith("encoder.embeddings."):
            rate = lr * decay**depth
        else:
            rate = head_lr
        wd = 0.0 if p.ndim < 2 else weight_decay
        out.setdefault((rate, wd), []).append(p)
    return [dict(params=ps, lr=rate, base=rate, weight_decay=wd) for (rate, wd), ps in out.items()]


class Average:
    """Exponential moving average of the trained weights."""

    def __init__(self, model, decay):
        self.decay = decay
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.values = [p.detach().clone() for p in self.params]
        self.steps = 0

    def update(self):
        self.steps += 1
        d = min(self.decay, self.steps / (self.steps + 9))
        torch._foreach_mul_(self.values, d)
        torch._foreach_add_(self.values, [p.detach() for p in self.params], alpha=1 - d)

    def swap(self):
        for p, v in zip(self.params, self.values, strict=True):
            kept = p.detach().clone()
            p.data.copy_(v)
            v.copy_(kept)


def run_stage(name, model, tok, epochs, examples_of, args, lr, head_lr, tests, minutes, eight_bit_from=2.0):
    """Train one stage, going on from WORK/<name>.pt if it is there; leaves the averaged weights in the model.

    With `minutes` the stage ends after so long at the latest, and the learning rate follows the clock where that is ahead of the steps.
    From the share `eight_bit_from` of the way on, 8-bit arithmetic is simulated.
    """
    path = f"{args.work}/{name}.pt"
    opt = torch.optim.AdamW(groups(model, lr, head_lr, args.layer_decay, 0.01, args.frozen if name != "warm" else 0), betas=(0.9, 0.98), fused=args.device == "cpu")
    average = Average(model, args.average)
    epoch0 = step = done = spent = 0
    if os.path.exists(path):
        state = torch.load(path, map_location=args.device)
        if state["finished"]:
            model.load_state_dict(state["model"])
            print(f"{name}: finished before", flush=True)
            return
        model.load_state_dict(state["raw"])
        opt.load_state_dict(state["opt"])
        for v, kept in zip(average.values, state["average"], strict=True):
            v.copy_(kept)
        epoch0, done, step, average.steps = state["epoch"], state["done"], state["step"], state["step"]
        spent = state["spent"]
        print(f"{name}: going on at epoch {epoch0}, step {step}", flush=True)
    masks = Masks(args.dropout, args.device)
    dtype = torch.float32 if args.float32 else torch.bfloat16
    autocast = dict(device_type=args.device, dtype=torch.bfloat16, enabled=not args.float32)

    def save(epoch, done, finished=False):
        raw = {k: v.clone() for k, v in model.state_dict().items()}
        average.swap()
        state = dict(model=model.state_dict(), raw=raw, opt=opt.state_dict(), average=None, epoch=epoch, done=done,
                     step=step, finished=finished, spent=spent + time.time() - start)
        state["model"] = {k: v.clone() for k, v in state["model"].items()}
        average.swap()
        state["average"] = average.values
        torch.save(state, path + ".new")
        os.replace(path + ".new", path)

    start, tokens, shown, x, eight = time.time(), 0, 0.0, 0.0, False
    for epoch in range(epoch0, epochs):
        torch.manual_seed(args.seed * 1000 + epoch)
        todo = list(batches(examples_of(epoch), tok, args.budget))
        total = step - done + len(todo) * (epochs - epoch)
        for k, batch in enumerate(todo):
            if k < done:
                continue
            model.train()
            x = step / max(1, total)
            if minutes:
                x = max(x, (spent + time.time() - start) / (60 * minutes))
                if x >= 1:
                    break
            if x >= eight_bit_from and not eight:
                model.simulate_int8()
                eight = True
            factor = min(1.0, (step + 1) / max(1, min(60, 0.08 * total))) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * x)))
            for g in opt.param_groups:
                g["lr"] = g["base"] * factor
            packed = pack([ws for _, ws, _ in batch], 256, device=args.device)
            rows, width = packed["ids"].shape
            with torch.autocast(**autocast):
                hidden = model.encoder(packed["ids"], packed["types"], packed["positions"], packed["allowed"].to(dtype),
                                       masks(12, rows, width, model.config["hidden_size"]), dtype)
            e, s = model.heads(hidden, packed, args.dropout)
            loss = loss_of(e, s, batch, args.evidence_weight, args.smoothing)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(average.params, 1.0)
            opt.step()
            opt.zero_grad(set_to_none=True)
            average.update()
            step += 1
            tokens += sum(len(w["ids"]) for _, ws, _ in batch for w in ws)
            shown += loss.item()
            if step % 50 == 0:
                print(f"{name} epoch {epoch} step {step}/{total} loss {shown / 50:.4f} {tokens / (time.time() - start):.0f} tokens/s "
                      f"{time.time() - start:.0f}s", flush=True)
                shown = 0.0
            if step % 300 == 0:
                save(epoch, k + 1)
        done = 0
        last = epoch + 1 == epochs or x >= 1
        save(epoch + 1, 0, last)
        if tests and (last or args.check):
            average.swap()
            figures = measure(model, tok, tests, dtype)
            average.swap()
            print(f"{name} after epoch {epoch}: " + ", ".join(f"{n} {r['macro_f1']:.3f}/{r['accuracy']:.3f}" + (
                f" ev {r['evidence_top2']:.2f}" if r.get("evidence_top2") else "") for n, r in figures.items()), flush=True)
            torch.save(dict(model=torch.load(path)["model"]), f"{args.work}/{name}-epoch{epoch}.pt")
        if last:
            break
    average.swap()


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--base", required=True)
    a.add_argument("--data", default="data")
    a.add_argument("--public", required=True)
    a.add_argument("--work", required=True)
    a.add_argument("--out", help="model folder to write; nothing is written without it")
    a.add_argument("--device", default="cpu")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--float32", action="store_true", help="for processors without bf16 instructions, which it takes far longer")
    a.add_argument("--rate", nargs=2, action="append", default=[], metavar=("KIND", "TIMES"), help="how often the claims of a kind come in a whole epoch, in place of data.py's rate")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--start", help="model folder whose weights replace the warm start")
    a.add_argument("--default", type=float, default=2.0, help="how often the default claim comes for each time that another claim does")
    a.add_argument("--plain-main", action="store_true", help="the main stage, too, at the rates of the plain one")
    a.add_argument("--warm-epochs", type=int, default=1)
    a.add_argument("--until", choices=["warm", "main", "plain"], default="plain", help="stop after this stage")
    a.add_argument("--epochs", type=int, default=4, help="epochs of the main stage, of --share of the examples each")
    a.add_argument("--share", type=float, default=0.5)
    a.add_argument("--plain-share", type=float, default=1.0, help="share of the examples in each plain run")
    a.add_argument("--minutes", type=float, nargs=3, default=[0, 0, 0], help="at most so long for warm, main and each plain run; 0: no limit")
    a.add_argument("--check", action="store_true", help="measure the dev files after each epoch, not only after each stage")
    a.add_argument("--fnc", type=int, nargs=4, default=[3000, 840, 3000, 2500], help="examples per label")
    a.add_argument("--budget", type=int, default=4096, help="tokens per step")
    a.add_argument("--lr", type=float, default=2e-4)
    a.add_argument("--head-lr", type=float, default=5e-4)
    a.add_argument("--layer-decay", type=float, default=0.9)
    a.add_argument("--frozen", type=int, default=0, help="lowest layers that are not trained after the warm start")
    a.add_argument("--dropout", type=float, default=0.1)
    a.add_argument("--average", type=float, default=0.995)
    a.add_argument("--evidence-weight", type=float, default=0.7)
    a.add_argument("--smoothing", type=float, default=0.05)
    a.add_argument("--eight-bit-from", type=float, default=0.5, help="share of the main stage from which 8-bit arithmetic is simulated")
    a.add_argument("--plain-lr", type=float, nargs="*", default=[8e-5, 1.2e-4], help="last stage: one run for each rate, then their average")
    a.add_argument("--mix-fnc", type=int, nargs=4, default=[250, 300, 250, 250])
    a.add_argument("--plain-fnc", type=int, nargs=4, default=[300, 150, 450, 400])
    a.add_argument("--mix-rte", type=int, default=800)
    a.add_argument("--real", help="dev files, measured after each epoch, never trained on")
    a.add_argument("--hard")
    a.add_argument("--seeds")
    a = a.parse_args()
    os.makedirs(a.work, exist_ok=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    if a.device == "cpu":
        network.attention = plain_attention
    model = load_base(a.base).to(a.device)
    tok = PlainTokenizer(f"{a.base}/tokenizer.json")
    tests = tasks(a.real, a.hard, a.seeds)

    def public(epoch):
        rng = random.Random(a.seed * 100 + epoch)
        out = from_fnc(f"{a.public}/fnc-1", rng, a.fnc) + from_rte(f"{a.public}/rte.jsonl")
        rng.shuffle(out)
        return out

    def own(epoch, plain=a.plain_main):
        rng = random.Random(a.seed * 100 + (80 if plain else 50) + epoch)
        articles = load_articles(a.data, a.public)
        bodies = [text for k, text in fnc_bodies(f"{a.public}/fnc-1").items() if not held_out(f"fnc {k}")]
        share = a.share if plain == a.plain_main else a.plain_share
        rates = (PLAIN if plain else MAIN) | {kind: float(times) for kind, times in a.rate}
        out = Sampler(articles, rng, bodies, {k: v * share for k, v in rates.items()}, default=a.default).epoch()
        rte = from_rte(f"{a.public}/rte.jsonl")
        fnc = a.plain_fnc if plain else a.mix_fnc
        out += from_fnc(f"{a.public}/fnc-1", rng, [int(share * n) for n in fnc]) + rng.sample(rte, int(share * a.mix_rte))
        rng.shuffle(out)
        return out

    if a.start:
        model.load_state_dict(load_quantised(a.start, int8=False).state_dict())
    elif a.warm_epochs:
        run_stage("warm", model, tok, a.warm_epochs, public, a, a.lr, a.head_lr, {}, a.minutes[0])
    if a.until == "warm":
        return
    run_stage("main", model, tok, a.epochs, own, a, a.lr, a.head_lr, tests, a.minutes[1], a.eight_bit_from)
    if a.until == "main":
        return
    start, seed, ends = {k: v.clone() for k, v in model.state_dict().items()}, a.seed, []
    for n, rate in enumerate(a.plain_lr):
        model.load_state_dict(start)
        a.seed = seed + n
        torch.manual_seed(a.seed)
        run_stage(f"plain{n}", model, tok, 1, lambda epoch: own(epoch, True), a, rate, a.head_lr * rate / a.lr, tests, a.minutes[2], 0.0)
        ends.append({k: v.clone() for k, v in model.state_dict().items()})
    if ends:
        model.load_state_dict({k: sum(end[k] for end in ends) / len(ends) for k in start})
    if a.out:
        write_folder(model.cpu(), a.base, a.out)


if __name__ == "__main__":
    main()
