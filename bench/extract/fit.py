#!/usr/bin/env python3
"""Fits the weights of src/retrieval/extract.cpp to the evidence of sentences, and says how often quotes hold an answer.

usage: fit.py FOLDER    with files SET.MODE.jsonl, as bench/extract/run writes them.
A question's sentences compete: the probability that one is the best is the exponential of its score over the
sum of all (McFadden 1974, conditional logit). Fitted on every second question, checked on the others. Needs
only the standard library.
"""
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from equations import solve  # noqa: E402

FEATURES = ["found", "words", "context", "kind", "nearness"]
QUOTES, NEARLY_AS_GOOD, UNDECIDED, CANDIDATES = 2, 1.75, 3, 4  # as in extract.cpp


def load(folder):
    """{mode: {set: [question]}}"""
    modes = {}
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        name, mode = path.name[: -len(".jsonl")].split(".")
        modes.setdefault(mode, {})[name] = [json.loads(line) for line in path.read_text().splitlines()]
    return modes


def mean_of(rows, shares):
    return [sum(p * row[i] for row, p in zip(rows, shares)) for i in range(len(rows[0]))]


def shares_of(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def fit(questions, n, ridge=0.5):
    """Newton's method. questions: [(rows of n features, which of them hold an answer)]."""
    weights = [0.0] * n
    for _ in range(25):
        gradient = [ridge * w for w in weights]
        hessian = [[ridge * (i == j) for j in range(n)] for i in range(n)]
        for rows, held in questions:
            shares = shares_of([sum(w * v for w, v in zip(weights, row)) for row in rows])
            right = [p * h for p, h in zip(shares, held)]
            right = [p / sum(right) for p in right]
            mean, wanted = mean_of(rows, shares), mean_of(rows, right)
            for i in range(n):
                gradient[i] += mean[i] - wanted[i]
                for j in range(n):
                    second = sum(p * row[i] * row[j] for row, p in zip(rows, shares))
                    hessian[i][j] += second - mean[i] * mean[j]
        step = solve(hessian, gradient)
        weights = [w - s for w, s in zip(weights, step)]
        if max(map(abs, step)) < 1e-6:
            break
    return weights


def quotes(sentences, weights):
    """As extract() chooses. @return what is quoted, and how many sentences were embedded."""
    by_words = [sum(w * v for w, v in zip(weights[:4], sentence)) for sentence in sentences]
    order = sorted(range(len(sentences)), key=lambda i: -by_words[i])[:CANDIDATES]
    order = [i for i in order if by_words[i] >= by_words[order[0]] - UNDECIDED]
    embedded = len(order) if len(weights) > 4 and len(order) > 1 else 0
    total = {i: by_words[i] + sum(w * sentences[i][4] for w in weights[4:]) for i in order}
    order.sort(key=lambda i: -total[i])
    return [sentences[i] for i in order[:QUOTES] if total[i] >= total[order[0]] - NEARLY_AS_GOOD], embedded


def report(mode, sets, weights):
    for name, questions in sets.items():
        chosen = [quotes(q["sentences"], weights) for q in questions if q["found"] and q["sentences"]]
        held = sum(any(s[-1] for s in quoted) for quoted, _ in chosen) / len(questions)
        first = sum(quoted[0][-1] for quoted, _ in chosen) / len(questions)
        print(f"  {mode:7} {name:9} held {held:.3f}, by the first quote {first:.3f};"
              f" quotes {sum(len(quoted) for quoted, _ in chosen) / len(chosen):.2f},"
              f" sentences embedded {sum(embedded for _, embedded in chosen) / len(chosen):.1f}")


def measured(mode, sets):
    """What ask() itself quoted, from all questions."""
    for name, questions in sets.items():
        found = [q for q in questions if q["found"]]
        print(f"  {mode:7} {name:9} held {sum(q['held'] for q in questions) / len(questions):.3f},"
              f" by the first quote {sum(q['first'] for q in questions) / len(questions):.3f};"
              f" quotes {sum(q['quotes'] for q in found) / len(found):.2f},"
              f" CPU {sorted(q['ms'] for q in found)[len(found) // 2]:.1f} ms")


def main():
    for mode, sets in load(sys.argv[1]).items():
        n = 4 if mode == "bm25" else 5
        half = [q for questions in sets.values() for q in questions[::2] if q["found"]]
        decided = [([s[:n] for s in q["sentences"]], [s[-1] for s in q["sentences"]]) for q in half]
        weights = fit([(rows, held) for rows, held in decided if any(held) and not all(held)], n)
        print(mode, " ".join(f"{feature} {weight:.2f}" for feature, weight in zip(FEATURES, weights)))
        print(" these weights, on the questions that they were not fitted to")
        report(mode, {name: questions[1::2] for name, questions in sets.items()}, weights)
        print(" the program")
        measured(mode, sets)


if __name__ == "__main__":
    main()
