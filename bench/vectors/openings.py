"""From opening an index's files to its first answer, each time in a new process: the libraries are loaded
before. `warm`: the files are in the page cache; `cold`: they were dropped from it (posix_fadvise, which needs
no rights, and drops no page of a library)."""
import os
import pathlib

import numpy as np

import data
from contenders import K


def drop(files):
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)  # only clean pages can be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def touch(files):
    for file in files:
        with open(file, "rb", buffering=0) as stream:
            while stream.read(1 << 24):
                pass


def anonymous_mb(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0


def once(contender, setting, question, out):
    """@return CPU ms, wall ms, and anonymous memory that was added, in MB."""
    contender.ready()
    before = anonymous_mb(contender.process)
    opened = contender.open()
    answered = contender.search(question, setting, out)
    return (1e3 * (opened["cpu_s"] + answered["cpu_s"]), 1e3 * (opened["wall_s"] + answered["wall_s"]),
            anonymous_mb(contender.process) - before)


def measure(kinds, queries, folder, rounds):
    """@param kinds  name -> (how to make the contender anew, its files, the setting that is asked)"""
    cells = {(name, state): [] for name in kinds for state in ("warm", "cold")}
    asked = data.load(queries)
    for number in range(rounds):
        question = folder / "question.fbin"
        data.save(question, asked[number:number + 1])
        for name, (make, files, setting) in kinds.items():
            for state in ("warm", "cold"):
                contender = make()
                (touch if state == "warm" else drop)(files)
                cells[name, state].append(once(contender, setting, question, folder / "out"))
                contender.process.stdin.close()
                contender.process.wait()
    print(f"\nfrom opening the files to the first answer (the nearest {K}): medians of {rounds} [range]")
    for (name, state), values in cells.items():
        cpu, wall, memory = np.transpose(values)
        print(f"  {name:16} {state}: {np.median(cpu):8.2f} ms of CPU [{cpu.min():.2f} - {cpu.max():.2f}], "
              f"{np.median(wall):8.2f} ms [{wall.min():.2f} - {wall.max():.2f}], {np.median(memory):.1f} MB anonymous")
