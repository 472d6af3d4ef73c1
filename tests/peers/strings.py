"""100,000 real and 100,000 random strings, the same on every machine that has the same texts."""
import pathlib
import random

import unicodedata2


def real(texts, count=100_000):
    """Lines, paragraphs and random windows of real texts; distinct."""
    found = {}
    for text in texts:
        for piece in text.split("\n") + text.split("\n\n"):
            if piece:
                found[piece] = None
    draw = random.Random(1)
    while len(found) < count:
        text = draw.choice(texts)
        begin = draw.randrange(len(text))
        found[text[begin:begin + draw.choice((7, 30, 100, 400, 3000))]] = None
    return draw.sample(list(found), count)


def known_characters():
    """All code points that Unicode 15 assigns, and private ones; no surrogates."""
    return [chr(c) for c in range(0x110000)
            if unicodedata2.category(chr(c)) not in ("Cn", "Cs")]


def random_strings(texts, count=100_000):
    draw = random.Random(2)
    characters = known_characters()
    marks = [c for c in characters if unicodedata2.category(c)[0] == "M"]
    spaces = [c for c in characters if c.isspace()] + ["\u200b", "\u200d", "\ufeff", "\u00ad"]
    numbers = [c for c in characters if unicodedata2.category(c)[0] == "N"]
    cjk = [chr(c) for c in (*range(0x4E00, 0x4F00), *range(0x3040, 0x30FF), *range(0xAC00, 0xAD00))]
    latin = [chr(c) for c in range(0x80, 0x250)]
    words = ["'s", "'S", "'re", "'ll", "'LL", "'", "''", "<|endoftext|>", "<|endoftext", "[MASK]",
             "[SEP]", "[ MASK]", "##", "\u00e9", "e\u0301", "\U0001F468\u200d\U0001F469", "a" * 101,
             "\u1100\u1161\u11a8", "\u0130", "\u00df", "\ufb01", "\ufffd", "\0", "1234567890"]
    sources = [
        lambda n: [draw.choice(characters) for _ in range(n)],
        lambda n: [chr(draw.randrange(32, 127)) for _ in range(n)],
        lambda n: [draw.choice(" \t\n\r'sdtmrevl12a.") for _ in range(n)],
        lambda n: [draw.choice(draw.choice((spaces, "ab1.", numbers))) for _ in range(n)],
        lambda n: [draw.choice(draw.choice((latin, marks, "abcDEF "))) for _ in range(n)],
        lambda n: [draw.choice(draw.choice((cjk, "ab ", marks))) for _ in range(n)],
        lambda n: [draw.choice(words + [" ", "x", "\n"]) for _ in range(n // 3)],
        lambda n: mutated(draw, draw.choice(texts), n, characters),
    ]
    return ["".join(sources[i % len(sources)](draw.choice((1, 3, 10, 40, 150))))
            for i in range(count)]


def mutated(draw, text, n, characters):
    begin = draw.randrange(len(text))
    out = list(text[begin:begin + n])
    for _ in range(max(1, n // 10)):
        out.insert(draw.randrange(len(out) + 1), draw.choice(characters))
    return out


def load_texts(paths):
    """Each file as text; what is no UTF-8 is left out."""
    texts = []
    for path in paths:
        try:
            texts.append(pathlib.Path(path).read_bytes().decode("utf-8"))
        except UnicodeDecodeError:
            pass
    return [text for text in texts if text]
