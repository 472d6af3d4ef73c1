"""Our tokenizers through the program, and the Python packages they are compared with, all on the
same vocabulary files."""
import json
import os
import pathlib
import subprocess
import sys

# Hugging Face's Python tokenizer asks Python's tables, which are Unicode 14 in Debian 12's Python.
import unicodedata2
sys.modules["unicodedata"] = unicodedata2
os.environ["HF_HUB_OFFLINE"] = "1"

import tiktoken  # noqa: E402
from tiktoken.load import data_gym_to_mergeable_bpe_ranks  # noqa: E402
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from transformers import BertTokenizer, BertTokenizerFast  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
EOT = "<|endoftext|>"
# The published expression of GPT-2.
GPT2_PATTERN = (r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def program():
    return os.environ.get("LONGCONV", str(ROOT / "build/release/bin/longconv"))


def ours(name, texts):
    """Ids of each text, by `longconv data tokenizer encode --jsonl`."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    out = subprocess.run([program(), "data", "tokenizer", "encode", "--tokenizer", name, "--jsonl"],
                         input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def ours_decoded(name, ids):
    """The bytes of each list of ids, by `longconv data tokenizer decode --hex`."""
    lines = "".join(json.dumps(one) + "\n" for one in ids)
    out = subprocess.run([program(), "data", "tokenizer", "decode", "--tokenizer", name, "--hex"],
                         input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    return [bytes.fromhex(line.decode()) for line in out.split(b"\n")[:-1]]


class Tiktoken:
    name = f"tiktoken {tiktoken.__version__}"

    def __init__(self, folder):
        ranks = data_gym_to_mergeable_bpe_ranks(f"{folder}/vocab.bpe", f"{folder}/encoder.json")
        self.encoding = tiktoken.Encoding("gpt2", pat_str=GPT2_PATTERN, mergeable_ranks=ranks,
                                          special_tokens={EOT: 50256})

    def encode(self, texts):
        return [self.encoding.encode(text, allowed_special="all") for text in texts]


class HuggingFaceBpe:
    name = "tokenizers 0.22.2 (Rust), ByteLevel BPE"

    def __init__(self, folder):
        self.tokenizer = Tokenizer(models.BPE.from_file(f"{folder}/encoder.json",
                                                        f"{folder}/vocab.bpe"))
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.tokenizer.decoder = decoders.ByteLevel()
        self.tokenizer.add_special_tokens([AddedToken(EOT, normalized=False, special=True)])

    def encode(self, texts):
        return [one.ids for one in self.tokenizer.encode_batch(texts, add_special_tokens=False)]


class PythonBert:
    name = f"transformers BertTokenizer (Python), Unicode {unicodedata2.unidata_version}"

    def __init__(self, folder):
        self.tokenizer = BertTokenizer(f"{folder}/vocab.txt")

    def encode(self, texts):
        return [self.tokenizer.convert_tokens_to_ids(self.tokenizer.tokenize(text))
                for text in texts]


class RustBert:
    name = "transformers BertTokenizerFast (Rust)"

    def __init__(self, folder):
        self.tokenizer = BertTokenizerFast(vocab_file=f"{folder}/vocab.txt")

    def encode(self, texts):
        return self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
