#!/usr/bin/env python3
"""Texts and sequences out of R's and Weka's files, in layouts that `longconv data prepare` reads.

    rebuild_data_sets.py FOLDER OUT

FOLDER has Rdata.rdb and Rdata.rdx of r-cran-janeaustenr, DNA.rda of r-cran-mlbench and Weka's Reuters*.arff. OUT gets

    austen/<book>.txt                          six novels, a line of the package a line
    reuters/{corn,grain}/{train,test}.tsv      label, tab, story (prepare imdb)
    splice/{train,test}/{ei,ie,n}.fa           60 bases around a splice junction or none (prepare dna_fasta); every fifth tests

R itself is not needed: its serialization (R Internals, 1.8) is read here as far as these files use it.
"""
import gzip
import lzma
import os
import re
import struct
import sys
import zlib


class Unserializer:
    """One object of R's XDR serialization: lists, dicts for what has names, strings, numbers."""

    def __init__(self, data):
        self.data, self.at, self.references = data, 0, []
        if self.take(2) != b"X\n":
            sys.exit("R data: expected the XDR form")
        version = self.number()
        self.take(8)
        if version == 3:
            self.take(self.number())

    def take(self, count):
        self.at += count
        if count < 0 or self.at > len(self.data):
            sys.exit("R data: truncated")
        return self.data[self.at - count:self.at]

    def number(self):
        return struct.unpack(">i", self.take(4))[0]

    def item(self):
        flags = self.number()
        kind, has_attributes, has_tag = flags & 0xFF, flags & 0x200, flags & 0x400
        if kind in (254, 253, 251, 242):  # NULL and environments that are nothing to us
            return None
        if kind == 255:
            return self.references[(flags >> 8 or self.number()) - 1]
        if kind == 1:
            self.references.append(self.item())
            return self.references[-1]
        if kind == 2:
            return self.pairs(flags)
        if kind == 9:
            length = self.number()
            return None if length < 0 else self.take(length).decode("utf-8")
        if kind == 238:  # a vector kept in another form: its class, its state, its attributes
            kind_of, state, _ = self.item(), self.item(), self.item()
            return state[0] if "wrap" in next(iter(kind_of.values()), "") else state
        count = self.number()
        if kind in (10, 13):
            value = list(struct.unpack(f">{count}i", self.take(4 * count)))
        elif kind == 14:
            value = list(struct.unpack(f">{count}d", self.take(8 * count)))
        elif kind in (16, 19):
            value = [self.item() for _ in range(count)]
        else:
            sys.exit(f"R data: an object of type {kind} is not read")
        attributes = self.item() if has_attributes else {}
        if "levels" in attributes:
            return [attributes["levels"][i - 1] for i in value]
        if "names" in attributes:
            return dict(zip(attributes["names"], value))
        return value

    def pairs(self, flags):
        """A pairlist, whose cells follow one another, as a dict."""
        out = {}
        while flags & 0xFF == 2:
            if flags & 0x200:
                self.item()
            tag = self.item() if flags & 0x400 else len(out)
            out[tag] = self.item()
            flags = self.number()
        return out


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def novels(folder, out):
    with open(os.path.join(folder, "Rdata.rdx"), "rb") as file:
        index = Unserializer(gzip.decompress(file.read())).item()
    with open(os.path.join(folder, "Rdata.rdb"), "rb") as file:
        data = file.read()
    for name, (begin, size) in index["variables"].items():
        lines = Unserializer(zlib.decompress(data[begin + 4:begin + size])).item()
        write(f"{out}/austen/{name}.txt", "\n".join(lines) + "\n")


def junctions(folder, out):
    with lzma.open(os.path.join(folder, "DNA.rda")) as file:
        data = file.read()
    columns = list(Unserializer(data[5:]).item()["DNA"].values())
    bases = {("1", "0", "0"): "A", ("0", "1", "0"): "C", ("0", "0", "1"): "G", ("0", "0", "0"): "T"}
    files = {}
    for row, cells in enumerate(zip(*columns)):
        sequence = "".join(bases[cells[i:i + 3]] for i in range(0, 180, 3))
        part = "test" if row % 5 == 4 else "train"
        files.setdefault((part, cells[180]), []).append(f">junction{row + 1}\n{sequence}\n")
    for (part, kind), records in files.items():
        write(f"{out}/splice/{part}/{kind}.fa", "".join(records))


def stories(folder, out):
    escapes = {"n": "\n", "r": "\r", "t": "\t"}
    for topic in ("Corn", "Grain"):
        for part in ("train", "test"):
            with open(os.path.join(folder, f"Reuters{topic}-{part}.arff"), encoding="utf-8") as file:
                rows = file.read().split("@data", 1)[1].strip().split("\n")
            lines = []
            for row in filter(None, rows):
                text, label = re.fullmatch(r"'(.*)',([01])", row).groups()
                text = re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), text)
                lines.append(f"{label}\t{' '.join(text.split())}\n")
            write(f"{out}/reuters/{topic.lower()}/{part}.tsv", "".join(lines))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for make in (novels, junctions, stories):
        make(*sys.argv[1:])


main()
