"""usearch with an index in memory: adding while a second thread searches, and removing.

usage: usearch_change.py insert BASE.fbin QUERIES.fbin INDEX ROWS COUNT BATCH SECONDS | build BASE.fbin INDEX ROWS
Its calls release Python's lock; what a call costs beside (8 to 50 us) is small beside an insertion.
"""
import json
import sys
import threading
import time

import numpy as np
from usearch.index import Index


def load(file):
    rows, dim = np.fromfile(file, np.uint32, 2)
    return np.memmap(file, np.float32, "r", 8, (int(rows), int(dim)))


def new_index(dim):
    return Index(ndim=dim, metric="ip", dtype="bf16", connectivity=16, expansion_add=200, expansion_search=64)


def build(base, file, rows):
    index = new_index(base.shape[1])
    index.add(np.arange(rows), base[:rows], threads=2)
    index.save(file)


def ask(index, queries, done, seconds):
    times, began, i = [], time.perf_counter(), 0
    while not done.is_set() or time.perf_counter() - began < seconds:
        asked = time.perf_counter()
        index.search(queries[i % len(queries)], 10, threads=1)
        times.append(time.perf_counter() - asked)
        i += 1
    return times


def percentiles(name, times):
    times = sorted(times)
    return {f"{name}_p50_ms": times[len(times) // 2] * 1e3, f"{name}_p99_ms": times[len(times) * 99 // 100] * 1e3,
            f"{name}_max_ms": times[-1] * 1e3}


def insert(base, queries, file, rows, count, batch, seconds):
    index = new_index(base.shape[1])
    index.load(file)
    queries, new = np.array(queries), np.array(base[rows:rows + count])
    index.add(np.array([rows + count]), new[-1:], threads=1)  # makes room for a power of two, before the searches
    at_once = threading.Event()
    at_once.set()
    ask(index, queries, at_once, 0.3)
    idle = ask(index, queries, at_once, seconds)
    done, busy = threading.Event(), []
    reader = threading.Thread(target=lambda: busy.extend(ask(index, queries, done, 0)))
    reader.start()
    began, added = time.perf_counter(), 0
    while added < len(new) and time.perf_counter() - began < seconds:
        some = new[added:added + batch]
        index.add(np.arange(rows + added, rows + added + len(some)), some, threads=1)
        added += len(some)
    rate = added / (time.perf_counter() - began)
    done.set()
    reader.join()
    return {"per_s": rate, "added": added, **percentiles("idle", idle), **percentiles("busy", busy)}


def main():
    verb, base = sys.argv[1], load(sys.argv[2])
    if verb == "build":
        build(base, sys.argv[3], int(sys.argv[4]))
        print("{}")
    else:
        rows, count, batch = map(int, sys.argv[5:8])
        print(json.dumps(insert(base, load(sys.argv[3]), sys.argv[4], rows, count, batch, float(sys.argv[8]))))


main()
