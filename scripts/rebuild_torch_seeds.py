#!/usr/bin/env python3
"""Writes the small files of PyTorch that tests read, and fuzzers start from.

    scripts/rebuild_torch_seeds.py            needs Python with torch 2.x; the results are in the tree

tests/fuzz/corpus/fuzz_torch_file: what torch.save writes, in both of its layouts; a Lightning
checkpoint with a configuration and callbacks of classes that nobody can import here; a pickle that
would run a program. tests/fuzz/corpus/fuzz_pickle: plain values in protocols 2 to 5.
"""
import collections
import io
import os
import pathlib
import pickle
import sys
import types
import warnings
import zipfile

warnings.filterwarnings("ignore")
import torch  # noqa: E402

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "tests/fuzz/corpus"


def state_dict():
    """What the reader must give back: tests/core/files/torch_file_test.cpp knows these numbers."""
    ramp = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensors = collections.OrderedDict()
    tensors["ramp"] = ramp
    tensors["ramp_transposed"] = ramp.t()
    tensors["second_row"] = ramp[1]
    tensors["expanded"] = torch.tensor([7.0]).expand(3)
    tensors["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    tensors["scalar"] = torch.tensor(5, dtype=torch.int64)
    tensors["empty"] = torch.zeros(0, 4)
    for word in ("float64", "bfloat16", "float16", "int32", "int16", "int8", "uint8"):
        tensors[word] = torch.tensor([1, 2, 3], dtype=getattr(torch, word))
    tensors["bool"] = torch.tensor([True, False])
    return tensors


def module(name, **names):
    for parent in name.split(".")[:-1]:
        sys.modules.setdefault(parent, types.ModuleType(parent))
    made = types.ModuleType(name)
    sys.modules[name] = made
    for key, value in names.items():
        value.__module__ = name
        value.__qualname__ = key
        setattr(made, key, value)
    return made


class Config:
    """Pickles as omegaconf's DictConfig does: an object with a state that holds itself."""

    def __init__(self, content):
        self.content = content
        self.parent = self


class Callback:
    def __reduce__(self):
        return (Callback, (), {"best": float("inf")})


class Program:
    def __init__(self, words):
        self.words = words

    def __reduce__(self):
        return (os.system, (self.words,))


def lightning():
    module("omegaconf.dictconfig", DictConfig=Config)
    module("pytorch_lightning.callbacks", Callback=Callback)
    state = collections.OrderedDict()
    state["model.weight"] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    state["train_torchmetrics.num_tokens.count"] = torch.tensor(9)
    state._metadata = collections.OrderedDict(version=1)
    return {
        "epoch": 3,
        "global_step": 12_345_678_901,
        "pytorch-lightning_version": "1.8.6",
        "state_dict": state,
        "callbacks": {"Callback": Callback()},
        "hyper_parameters": Config({"lr": 6e-4, "tasks": [1, None, {2, 3}]}),
        "hparams_type": Config,
    }


def save(name, value, **options):
    torch.save(value, CORPUS / "fuzz_torch_file" / name, **options)


def deflated(source, target):
    with zipfile.ZipFile(CORPUS / "fuzz_torch_file" / source) as zipped:
        with zipfile.ZipFile(CORPUS / "fuzz_torch_file" / target, "w", zipfile.ZIP_DEFLATED) as out:
            for name in zipped.namelist():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                out.writestr(info, zipped.read(name))


def main():
    for folder in ("fuzz_torch_file", "fuzz_pickle"):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    save("state_dict.pt", state_dict())
    save("state_dict_legacy.pt", state_dict(), _use_new_zipfile_serialization=False)
    save("protocol_4.pt", {"w": torch.ones(2)}, pickle_protocol=4)
    save("lightning.ckpt", lightning())
    save("lightning_legacy.ckpt", lightning(), _use_new_zipfile_serialization=False)
    save("program.pt", {"w": torch.ones(2), "x": Program("touch executed")})
    save("program_legacy.pt", {"w": torch.ones(2), "x": Program("touch executed")},
         _use_new_zipfile_serialization=False)
    deflated("state_dict.pt", "deflated.pt")

    values = [None, True, False, 0, 255, 65535, -1, 2**40, -2**40, 2**80, 1.5, "text", "\u00e9",
              b"bytes", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [1, [2]], {"a": {"b": 1}}, {1, 2},
              frozenset({3}), collections.OrderedDict(a=1), bytearray(b"x"), complex(1, 2)]
    itself = []
    itself.append(itself)
    values.append(itself)
    for protocol in (2, 3, 4, 5):
        buffer = io.BytesIO()
        pickle.Pickler(buffer, protocol).dump(values)
        (CORPUS / "fuzz_pickle" / f"values_{protocol}.pkl").write_bytes(buffer.getvalue())
    (CORPUS / "fuzz_pickle" / "program.pkl").write_bytes(pickle.dumps(Program("touch executed"), 2))


if __name__ == "__main__":
    main()
