"""Trains the LoRA on pairs of source and target; the loss is on the target only.

All prompts begin alike, so a batch computes that beginning once and lets its members share the keys and values (with gradients).

    python train.py --gguf MODEL.gguf --pairs pairs.jsonl --out adapter --minutes 40
"""

import argparse
import json
import math
import os
import random
import tempfile
import time

import torch
import torch.distributed as dist
from transformers import DynamicCache

from lora import Prompt, add_lora, load, load_adapter, save_adapter


def batches(items, tokens, rng):
    """Batches of about as many tokens each, sorted by length within chunks, in random order."""
    items = items[:]
    rng.shuffle(items)
    out = []
    for at in range(0, len(items), 256):
        chunk, now = sorted(items[at : at + 256], key=lambda x: len(x[0])), []
        for item in chunk:
            if now and len(item[0]) * (len(now) + 1) > tokens:
                out.append(now)
                now = []
            now.append(item)
        out.append(now)
    rng.shuffle(out)
    return out


def loss_sum(model, prefix, batch, end):
    """Summed loss over the answers' tokens, and their number. An item is (ids after the prefix, where the answer begins in them)."""
    n = max(len(ids) for ids, _ in batch)
    ids = torch.full((len(batch), n), end)
    for row, (x, _) in enumerate(batch):
        ids[row, : len(x)] = torch.tensor(x)
    past = DynamicCache(config=model.config)
    model.model(input_ids=torch.tensor([prefix]), past_key_values=past, use_cache=True)
    past.batch_repeat_interleave(len(batch))
    hidden = model.model(input_ids=ids, past_key_values=past, use_cache=True).last_hidden_state
    rows = torch.tensor([r for r, (x, a) in enumerate(batch) for _ in range(a, len(x))])
    cols = torch.tensor([c for x, a in batch for c in range(a, len(x))])
    logits = model.lm_head(hidden[rows, cols - 1]).float()
    return torch.nn.functional.cross_entropy(logits, ids[rows, cols], reduction="sum"), len(rows)


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--gguf", required=True)
    p.add_argument("--pairs", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--from", dest="start", help="adapter to start from")
    p.add_argument("--minutes", type=float, default=40, help="stop after this time; the schedule fits it, by the speed met so far")
    p.add_argument("--epochs", type=float, default=3)
    p.add_argument("--lr", type=float, default=6e-4)
    p.add_argument("--tokens", type=int, default=500, help="tokens of a batch of one worker")
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--workers", type=int, default=2, help="processes of one thread each, which average their gradients")
    p.add_argument("--save-minutes", type=float, default=5)
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args()


def work(rank, a, meeting):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=a.workers)
    say = (lambda text: print(text, flush=True)) if rank == 0 else (lambda text: None)
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)

    model, tokenizer = load(a.gguf)
    loras = load_adapter(model, a.start) if a.start else add_lora(model, a.rank, 2 * a.rank)
    prompt = Prompt(tokenizer)
    x, y = prompt("A b"), prompt("C d")
    prefix = x[: next(i for i in range(len(x)) if x[i] != y[i])]

    train, held = [], []
    for line in open(a.pairs):
        r = json.loads(line)
        ids, answer = prompt(r["source"]), prompt.answer(r["target"])
        assert ids[: len(prefix)] == prefix
        item = (ids[len(prefix) :] + answer, len(ids) - len(prefix))
        (held if r.get("held") else train).append(item)
    say(f"{len(train)} pairs, {len(held)} held out, prefix {len(prefix)} tokens, mean length {sum(len(i) for i, _ in train) / len(train):.0f}")

    params = [q for l in loras.values() for q in (l.A, l.B)]
    optimizer = torch.optim.AdamW(params, lr=a.lr, weight_decay=0.01, betas=(0.9, 0.99))

    def validate():
        with torch.no_grad():
            s = n = 0
            for b in batches(held, a.tokens, random.Random(0)):
                x, k = loss_sum(model, prefix, b, prompt.end)
                s, n = s + float(x), n + k
        return s / max(n, 1)

    def validated():
        """The held-out loss, by the first worker alone."""
        return validate() if rank == 0 else 0.0

    began = time.time()
    say(f"before: held-out loss {validated():.3f}")
    began_training = saved = time.time()
    step, seen, total, run = 0, 0, a.epochs * len(train), []
    done = False
    while not done:
        whole = batches(train, a.tokens, rng)
        for i in range(0, len(whole) - a.workers + 1, a.workers):
            b = whole[i + rank]
            x, k = loss_sum(model, prefix, b, prompt.end)
            (x / k).backward()
            spent = (time.time() - began_training) / 60
            # One reduction for gradients, loss, pairs and how far along: by pairs or by time, whichever ends first.
            flat = torch.cat([q.grad.reshape(-1) for q in params] + [torch.tensor([x.item() / k, len(b), max(seen / total, spent / a.minutes)])])
            dist.all_reduce(flat)
            flat /= a.workers
            loss, at = float(flat[-3]), float(flat[-1])
            seen += round(float(flat[-2]) * a.workers)
            place = 0
            for q in params:
                q.grad.copy_(flat[place : place + q.numel()].view_as(q))
                place += q.numel()
            if at >= 1:
                done = True
                break
            for g in optimizer.param_groups:
                g["lr"] = lr = a.lr * min(1, (step + 1) / 20) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * at)))
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            run.append(loss)
            if step % 20 == 0:
                say(f"step {step} epoch {seen / len(train):.2f} loss {sum(run) / len(run):.3f} lr {lr:.1e} {spent:.1f} min {seen / spent / 60 if spent else 0:.2f} pairs/s")
                run = []
            if rank == 0 and time.time() - saved > 60 * a.save_minutes:
                save_adapter(loras, a.out, a.rank, 2 * a.rank)
                say(f"saved at epoch {seen / len(train):.2f}; held-out loss {validated():.3f}")
                saved = time.time()
    if rank == 0:
        save_adapter(loras, a.out, a.rank, 2 * a.rank)
    say(f"done: {step} steps, {seen / len(train):.2f} epochs, held-out loss {validated():.3f}, {(time.time() - began) / 60:.1f} min")


if __name__ == "__main__":
    given = arguments()
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (given, os.path.join(folder, "meeting")), nprocs=given.workers)
