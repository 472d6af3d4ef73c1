#!/usr/bin/env python3
"""Our GPT-2 and BERT tokenizers against the packages that people use, on the same vocabulary files.

    scripts/compare_tokenizers [gpt2] [bert]       sets up a virtual environment and calls this

100,000 real and 100,000 random strings each, then every code point between letters. Exit status 1 if
a string differs on characters that all sides know; code points on which a peer's Unicode tables
differ from ours are printed as ranges (docs/tokenizers.md has them).
"""
import glob
import pathlib
import sys

import unicodedata2

import peers
import strings

BATCH = 20_000
SIGMA = "\u03a3"  # lower-cased by its place in the word in Python, never so by WordPiece's own rule


def compare(name, peer, texts, kind):
    """How many texts differ; prints the first few."""
    different = 0
    for begin in range(0, len(texts), BATCH):
        batch = texts[begin:begin + BATCH]
        for text, got, want in zip(batch, peers.ours(name, batch), peer.encode(batch)):
            if got != want:
                different += 1
                if different <= 5:
                    print(f"    {text[:60]!r}: ours {got[:12]}, theirs {want[:12]}")
    ids = sum(len(text) for text in texts)
    print(f"{name}: {len(texts)} {kind} strings, {ids} characters, against {peer.name}: "
          f"{different} differ")
    return different


def compare_code_points(name, peer):
    """Ranges of code points that a peer treats otherwise: between letters, digits and spaces, and
    before 's, which stays whole after a letter or number and loses its apostrophe to other signs."""
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    wrong = []
    for begin in range(0, len(codes), BATCH):
        batch = codes[begin:begin + BATCH]
        texts = [f"a{chr(c)}b {chr(c)}'s {chr(c)}1{chr(c)} " for c in batch]
        for code, got, want in zip(batch, peers.ours(name, texts), peer.encode(texts)):
            if got != want:
                wrong.append(code)
    assigned = [c for c in wrong if unicodedata2.category(chr(c)) != "Cn"]
    print(f"{name}: every code point, against {peer.name}: {len(wrong)} differ, {len(assigned)} of "
          f"them assigned in Unicode 15: {ranges(assigned)}")
    print(f"    not assigned in Unicode 15: {ranges([c for c in wrong if c not in set(assigned)])}")
    return len(assigned)


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return " ".join(f"{a:04X}" if a == b else f"{a:04X}-{b:04X}" for a, b in out) or "none"


def main():
    cache = pathlib.Path(sys.argv[1])
    which = sys.argv[2:] or ["gpt2", "bert"]
    texts = strings.load_texts([cache / "texts/kjv.txt", cache / "texts/jargon.txt",
                                *sorted(glob.glob("/usr/lib/python3*/*.py")),
                                *sorted(glob.glob("/usr/share/doc/*/copyright"))])
    real = strings.real(texts)
    invented = strings.random_strings(texts)
    failures = 0
    for name, kinds in (("gpt2", (peers.Tiktoken, peers.HuggingFaceBpe)),
                        ("bert", (peers.PythonBert, peers.RustBert))):
        if name not in which:
            continue
        folder = cache / "vocabularies" / name
        for kind in kinds:
            peer = kind(folder)
            fatal = kind is not peers.RustBert  # an older Unicode: its differences are listed
            sets = [(real, "real"), (invented, "random")]
            if name == "bert":
                sets = [([text.replace(SIGMA, "S") for text in some], word) for some, word in sets]
            found = sum(compare(name, peer, some, word) for some, word in sets)
            found += compare_code_points(name, peer)
            if fatal:
                failures += found
        if name == "gpt2":
            some = invented[:20_000] + real[:20_000]
            back = peers.ours_decoded(name, peers.ours(name, some))
            lost = sum(a.encode() != b for a, b in zip(some, back))
            print(f"gpt2: {len(some)} strings decoded: {lost} did not come back")
            failures += lost
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
