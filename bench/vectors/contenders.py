"""The contenders of the vector benchmarks, each in a process of its own, and how they are judged."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

from peers import PEERS

HERE = pathlib.Path(__file__).resolve().parent
OURS = "hasten graph"
OUR_POOLS = [8, 12, 14, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 384]
K = 10


def exchange(process, line):
    """Gives a contender a command, a line. @return its answer, a line of JSON; its errors are raised."""
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer


class Ours:
    """Our index, in its own process."""
    name, settings, index = OURS, OUR_POOLS, "graph"

    def __init__(self, build, folder, base):
        self.base, self.segment, self.allowed = base, folder / f"{self.index}.seg", "-"
        self.process = subprocess.Popen([build / "bin/hasten_vectors"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def command(self, *words):
        return exchange(self.process, " ".join(map(str, words)))

    def ready(self):
        """Returns when the process has loaded its libraries."""
        self.command("filter", "-")

    def build(self):
        built = self.command("build", self.base, self.segment, 2, self.index)
        self.open()
        return built

    def save(self):
        """Writes what open() reads. @return the files."""
        return [self.segment, self.base]

    def open(self):
        return self.command("open", self.base, self.segment)

    def search(self, queries, setting, out, allowed="-", where=None):
        if allowed != self.allowed:
            self.command("filter", allowed)
            self.allowed = allowed
        return self.command("search", queries, K, setting, out)


class OurLists(Ours):
    """Inverted lists: the pool, and how many lists are looked through."""
    name, index = "hasten lists", "lists"
    settings = ["64/4", "64/8", "96/16", "96/32", "128/64", "192/128", "256/256"]


class Peer:
    def __init__(self, name, folder, base):
        self.name, self.settings, self.base = name, PEERS[name].settings, base
        self.folder = folder / name.replace(" ", "_")
        self.folder.mkdir(exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen([sys.executable, HERE / "peers.py", name, self.folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)

    def command(self, **words):
        return exchange(self.process, json.dumps(words))

    def ready(self):
        self.command(do="ready")

    def build(self):
        return self.command(do="build", base=str(self.base))

    def save(self):
        self.command(do="save")
        return [file for file in self.folder.rglob("*") if file.is_file()]

    def open(self):
        return self.command(do="open")

    def search(self, queries, setting, out, allowed=None, where=None):
        filtered = {} if allowed is None else {"allowed": str(allowed), "where": where}
        return self.command(do="search", queries=str(queries), k=K, setting=setting, out=str(out), **filtered)


def warm(contenders, queries, out):
    """Every contender answers once: pages are touched, checksums checked, libraries warm."""
    for contender in contenders:
        contender.search(queries, contender.settings[-1], out)


def recall_of(out, truth):
    """The share of the true nearest that was found; where fewer than K pass a filter, of those."""
    found = np.fromfile(out, np.int32).reshape(len(truth), K)
    right = sum(len(set(f) & set(t) - {-1}) for f, t in zip(found, truth))
    return right / max(1, int((truth >= 0).sum()))


def lower_bound(ratios):
    random = np.random.default_rng(1)
    medians = [np.median(random.choice(ratios, len(ratios))) for _ in range(10_000)]
    return float(np.percentile(medians, 2.5))
