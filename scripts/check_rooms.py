#!/usr/bin/env python3
"""Who may include whom: the rooms' import rules (docs/architecture.md), read from the sources.

    scripts/check_rooms.py              check the tree around this file; status 1 if a rule is broken
    scripts/check_rooms.py --self-test  plant one breach of each rule and see that it is found
"""
import pathlib
import re
import sys
import tempfile

BASE = ["core/base"]
# Room -> rooms it may include besides itself. The longest matching room counts.
ALLOWED = {
    "core/base": [],
    "core/config": BASE,
    "core/files": BASE,
    "core/plan": BASE,
    "core/kernels": BASE + ["core/plan"],
    "core/reference": BASE,
    "core/ops": BASE + ["core/kernels"],
    "core/runtime": BASE,
    "models": BASE + ["core/config", "core/files", "core/ops", "core/runtime"],
    "data": BASE + ["core/config", "core/files", "core/runtime"],
    "data/formats": BASE + ["core/config", "core/files", "data"],
    "train": BASE + ["core/config", "core/files", "core/ops", "core/runtime", "data", "models"],
    "apps": BASE + ["core/config", "core/files", "core/kernels", "core/ops", "core/runtime", "data",
                    "models", "train", "bench"],
    "bench": BASE + ["core", "data", "models", "train"],
    "tests": ["core", "data", "models", "train", "apps", "bench"],
}
# Rooms whose sources know no LibTorch: a fuzzer or a foreign program can link them.
NO_LIBTORCH = ["core/base", "core/config", "core/files", "core/plan", "core/kernels",
               "core/reference", "data/formats", "data/tokenizers", "train/report"]
LIBTORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
# Slow to compile, or not at all under nvcc.
NOT_IN_CUDA = re.compile(r"^(torch|ATen|c10|caffe2|spdlog|fmt|toml\+\+|nlohmann)/")
NOT_IN_HEADERS = re.compile(r"^(toml\+\+/|nlohmann/json\.hpp|CLI/|torch/torch\.h|torch/all\.h)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
TOP = ("core", "data", "models", "train", "apps", "bench", "tests")


def room_of(path):
    """The longest room that `path` lies in, or None."""
    rooms = [room for room in ALLOWED if path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def inside(path, rooms):
    return any(path.startswith(room + "/") for room in rooms)


def breaches(root):
    """Lines 'file:line: what' for every broken rule below `root`."""
    found = []
    for top in TOP:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".cu", ".cuh"):
                continue
            name = file.relative_to(root).as_posix()
            found += [f"{name}:{line}: {what}" for line, what in breaches_of(root, name)]
    return found


def breaches_of(root, name):
    text = (root / name).read_text(encoding="utf-8")
    room = room_of(name)
    header = name.endswith((".h", ".cuh"))
    if room is None:
        yield 1, "lies in no room that scripts/check_rooms.py knows"
        return
    if header and "#pragma once" not in text:
        yield 1, "a header without #pragma once"
    for match in INCLUDE.finditer(text):
        quote, target = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if LIBTORCH.match(target) and inside(name, NO_LIBTORCH):
            yield line, f"includes {target}; this room knows no LibTorch"
        if NOT_IN_CUDA.match(target) and name.endswith((".cu", ".cuh")):
            yield line, f"includes {target}; device code takes pointers, sizes and a stream"
        if NOT_IN_HEADERS.match(target) and header and not name.startswith("tests/"):
            yield line, f"includes {target} in a header: every includer would pay for it"
        if not target.startswith(tuple(top + "/" for top in TOP)):
            if quote == '"' and (root / name).parent.joinpath(target).exists():
                yield line, f"includes {target} by a relative path; write it from the root"
            continue
        if not inside(target, [room] + ALLOWED[room]):
            yield line, f"{room} may not include {target}"


def self_test():
    planted = {
        "core/base/a.h": ('#pragma once\n#include "core/files/b.h"\n', "may not include"),
        "core/base/once.h": ("int x;\n", "#pragma once"),
        "core/files/t.cpp": ("#include <torch/torch.h>\n", "knows no LibTorch"),
        "core/ops/j.h": ("#pragma once\n#include <nlohmann/json.hpp>\n", "in a header"),
        "core/kernels/cuda/k.cu": ("#include <fmt/format.h>\n", "device code"),
        "data/formats/f.cpp": ("#include <ATen/core/Tensor.h>\n", "knows no LibTorch"),
        "data/tasks/m.cpp": ('#include "models/model.h"\n', "may not include"),
        "models/d.cpp": ('#include "data/config.h"\n', "may not include"),
        "train/loop/r.cpp": ('#include "core/reference/long_conv.h"\n', "may not include"),
        "train/report/h.cpp": ("#include <c10/core/Device.h>\n", "knows no LibTorch"),
        "models/layers/rel.cpp": ('#include "here.h"\n', "relative path"),
    }
    fine = {"models/layers/here.h": '#pragma once\n#include "core/ops/long_conv.h"\n',
            "tests/core/x.cpp": '#include "core/reference/long_conv.h"\n#include <torch/torch.h>\n'}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in [(n, t) for n, (t, _) in planted.items()] + list(fine.items()):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        found = breaches(root)
    wrong = [f"not found: {name} ({what})" for name, (_, what) in planted.items()
             if not any(line.startswith(name + ":") and what in line for line in found)]
    wrong += [f"wrongly found: {line}" for line in found if line.split(":")[0] in fine]
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems = self_test()
    else:
        problems = breaches(pathlib.Path(__file__).resolve().parent.parent)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
