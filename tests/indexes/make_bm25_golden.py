"""Writes bm25_golden.json: scores by bm25s (pip install bm25s==0.3.16), method "lucene".

make_bm25_golden.py OUT [CORPUS.jsonl]   made-up words, or the words of the first 300 texts of a corpus
"""
import json
import random
import re
import sys

import bm25s


def made_up(rng):
    weights = [1 / rank for rank in range(1, 201)]
    words = [f"w{i}" for i in range(200)]
    documents = [rng.choices(words, weights, k=rng.randint(1, 40)) for _ in range(150)]
    return documents, [rng.choices(words, weights, k=rng.randint(1, 6)) for _ in range(12)]


def of_corpus(rng, path):
    with open(path, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for _, line in zip(range(300), lines)]
    documents = [re.findall(r"\w+", text.lower()) for text in texts]
    return documents, [rng.sample(rng.choice(documents), 6) for _ in range(30)]


def scores(documents, query, k1, b):
    index = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
    index.index(documents, show_progress=False)
    known = [term for term in query if term in index.vocab_dict]
    return [float(s) for s in index.get_scores(known)] if known else [0.0] * len(documents)


def main():
    rng = random.Random(7)
    documents, queries = of_corpus(rng, sys.argv[2]) if len(sys.argv) > 2 else made_up(rng)
    cases = []
    for number, query in enumerate(queries):
        k1, b = [(1.5, 0.75), (1.2, 0.75), (0.9, 0.4)][number % 3]
        cases.append({"terms": query, "k1": k1, "b": b,
                      "scores": [round(s, 6) for s in scores(documents, query, k1, b)]})
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"documents": [" ".join(d) for d in documents], "cases": cases}, out, indent=0)


main()
