#!/usr/bin/env python3
"""GPT-2 BPE and WordPiece on one core, ours and the packages', in one run, interleaved.

    scripts/compare_tokenizers speed [repeats]

CPU seconds: ours inside bench_tokenizers (the file read before), theirs around the call that encodes the
same text. Best of the repeats, and the median; MB are 10^6 bytes.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import peers  # noqa: E402

BENCH = pathlib.Path(os.environ.get("LONGCONV_BENCH",
                                    peers.ROOT / "build/release/bin/bench_tokenizers"))


def ours(name, path):
    out = subprocess.run([BENCH, name, path], stdout=subprocess.PIPE, check=True).stdout
    result = json.loads(out)
    return result["seconds"], result["tokens"]


def clocked(encode, text):
    begin = time.process_time()
    ids = encode(text)
    return time.process_time() - begin, len(ids)


def main():
    cache = pathlib.Path(sys.argv[1])
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    vocabularies = cache / "vocabularies"
    tiktoken = peers.Tiktoken(vocabularies / "gpt2").encoding
    fast = peers.HuggingFaceBpe(vocabularies / "gpt2").tokenizer
    bert = peers.RustBert(vocabularies / "bert").tokenizer
    by_peer = {
        ("gpt2", "tiktoken, encode_ordinary"): tiktoken.encode_ordinary,
        ("gpt2", "tiktoken, encode"): lambda text: tiktoken.encode(text, allowed_special="all"),
        ("gpt2", "tokenizers, ByteLevel BPE"): lambda text: fast.encode(text).ids,
        ("bert", "transformers BertTokenizerFast"): lambda text: bert(
            text, add_special_tokens=False, verbose=False)["input_ids"],
    }
    for file in ("kjv.txt", "jargon.txt"):
        path = cache / "texts" / file
        text = path.read_text(encoding="utf-8")
        size = path.stat().st_size
        times = {}
        for _ in range(repeats):
            for name in ("gpt2", "bert"):
                times.setdefault((name, "longconv"), []).append(ours(name, path))
            for key, encode in by_peer.items():
                times.setdefault(key, []).append(clocked(encode, text))
        for (name, peer), runs in sorted(times.items()):
            seconds = [run[0] for run in runs]
            base = min(run[0] for run in times[(name, "longconv")])
            print(f"{file:11}{name:6}{peer:33}{runs[0][1]:9} tokens  best "
                  f"{size / min(seconds) / 1e6:8.1f} MB/s  median "
                  f"{size / statistics.median(seconds) / 1e6:8.1f} MB/s  "
                  f"ours is {min(seconds) / base:6.1f} times as fast")


if __name__ == "__main__":
    main()
