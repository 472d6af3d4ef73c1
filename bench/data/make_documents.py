#!/usr/bin/env python3
"""Documents for bench_prepare, as JSONL on stdout: half of the lines with \\u escapes.

    make_documents.py texts KJV JARGON | zstd -6 >texts.jsonl.zst
    make_documents.py packages         | zstd -6 >packages.jsonl.zst

texts     600 MB cut at random from two texts (scripts/test leaves them in ~/.cache/longconv/texts): 200 to
          20,000 characters, log-uniform. Six MB a hundred times over: a tokenizer has met every word.
packages  every text of this Debian's documentation, headers, manuals, Python and Perl once, in pieces of
          100,000 characters: prose, code and tables, as mixed as the Pile.
"""
import gzip
import hashlib
import json
import math
import os
import random
import sys

ROOTS = ["/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/include", "/usr/lib/gcc", "/usr/lib/python3",
         "/usr/lib/python3.11", "/usr/share/perl", "/usr/lib/x86_64-linux-gnu/perl", "/usr/share/cmake-3.25",
         "/usr/share/unicode", "/usr/share/dict", "/usr/lib/R", "/usr/share/R"]
LONGEST = 3_000_000  # bytes of a file
PIECE = 100_000


def of_texts(kjv, jargon, draw):
    texts = [open(path, encoding="utf-8").read() for path in (kjv, jargon)]
    total = 0
    while total < 600_000_000:
        text = texts[0] if draw.random() < 0.7 else texts[1]
        length = int(math.exp(draw.uniform(math.log(200), math.log(20_000))))
        begin = draw.randrange(len(text) - length)
        total += len(text[begin:begin + length].encode())
        yield text[begin:begin + length]


def text_of(path):
    """The text of a file, or None."""
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST)
        if data[:2] == b"\x1f\x8b":
            data = gzip.open(path).read(LONGEST)
        text = data.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return None
    return None if "\0" in text or len(text) < 200 else text


def of_packages(draw):
    pieces, seen = [], set()
    for root in ROOTS:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                text = None if os.path.islink(path) or not os.path.isfile(path) else text_of(path)
                digest = text and hashlib.sha256(text.encode()).digest()
                if text is None or digest in seen:
                    continue
                seen.add(digest)
                pieces += [text[at:at + PIECE] for at in range(0, len(text), PIECE)]
    pieces.sort()
    draw.shuffle(pieces)
    return pieces


def main():
    draw = random.Random(1)
    if sys.argv[1:2] == ["texts"] and len(sys.argv) == 4:
        documents = of_texts(sys.argv[2], sys.argv[3], draw)
    elif sys.argv[1:] == ["packages"]:
        documents = of_packages(draw)
    else:
        sys.exit(__doc__)
    for number, text in enumerate(documents):
        line = {"text": text, "meta": {"pile_set_name": "bench"}}
        sys.stdout.write(json.dumps(line, ensure_ascii=number % 2 == 1) + "\n")


main()
