#!/usr/bin/env python3
"""Fits the weights of src/retrieval/relevance.cpp to evidence of questions asked of own and foreign corpora.

usage: fit.py FOLDER    with files CORPUS.QUESTIONS.jsonl, as bench/relevance/run writes them.
A pair of equal names is positive, others negative; the two xquad sets are translations of each other,
so they are positive for questions that cross languages. Needs only the standard library.
"""
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from equations import solve  # noqa: E402


def load(folder):
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        corpus, questions = path.name[: -len(".jsonl")].split(".")
        related = corpus.split("-")[0] == questions.split("-")[0]
        for line in path.read_text().splitlines():
            yield corpus, questions, related, json.loads(line)


def fit(samples, ridge=1.0):
    """Logistic regression by Newton's method. samples: (features, label, weight)."""
    n = len(samples[0][0]) + 1
    weights = [0.0] * n
    for _ in range(50):
        gradient = [ridge * w for w in weights]
        hessian = [[ridge * (i == j) for j in range(n)] for i in range(n)]
        for features, label, share in samples:
            x = [1.0, *features]
            z = sum(w * v for w, v in zip(weights, x))
            p = 1 / (1 + math.exp(-max(-30, min(30, z))))
            for i in range(n):
                gradient[i] += share * (p - label) * x[i]
                for j in range(n):
                    hessian[i][j] += share * p * (1 - p) * x[i] * x[j]
        step = solve(hessian, gradient)
        weights = [w - s for w, s in zip(weights, step)]
        if max(map(abs, step)) < 1e-9:
            break
    return weights


def report(name, rows, features, weights):
    print(name, [round(w, 3) for w in weights])
    groups = {}
    for corpus, questions, related, evidence in rows:
        z = weights[0] + sum(w * f for w, f in zip(weights[1:], features(evidence)))
        groups.setdefault((corpus, questions, related), []).append(z > 0)
    for (corpus, questions, related), passed in sorted(groups.items(), key=lambda g: -g[0][2]):
        wrong = sum(p != related for p in passed) / len(passed)
        print(f"  {'own    ' if related else 'foreign'} {questions:9} of {corpus:9} wrong {wrong:.3f}")


CHINESE = {"xquad-zh", "cmrc2018", "drcd"}
OWN_COUNTS = {"alphabetic": 3, "cjk": 3, "crossed": 1.2}  # refusing what could be answered is worse than the reverse


def languages(corpus, questions):
    if (corpus in CHINESE) != (questions in CHINESE):
        return "crossed"
    return "cjk" if corpus in CHINESE else "alphabetic"


def fit_and_report(regime, name, rows, features):
    train = [row for i, row in enumerate(rows) if i % 2 == 0]
    held = [row for i, row in enumerate(rows) if i % 2 == 1]
    own = sum(row[2] for row in train)
    share = {True: OWN_COUNTS[regime] / own, False: 1 / (len(train) - own)}
    samples = [(features(row[3]), float(row[2]), 1000 * share[row[2]]) for row in train]
    report(name, held, features, fit(samples))


def main():
    rows = list(load(sys.argv[1]))

    def all_features(e):
        return [e.get("corpus_deviations", 0), e.get("embedder_deviations", 0), e["coverage"]]

    for regime in ["alphabetic", "cjk", "crossed"]:
        of_it = [row for row in rows if languages(row[0], row[1]) == regime]
        fit_and_report(regime, f"{regime}: bias, corpus_deviations, embedder_deviations, coverage",
                       of_it, all_features)
        if regime != "crossed":
            fit_and_report(regime, f"{regime}, words only: bias, coverage", of_it, lambda e: [e["coverage"]])


if __name__ == "__main__":
    main()
