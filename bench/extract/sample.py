#!/usr/bin/env python3
"""Writes the first passages of a data set as files, and 240 questions whose gold passage is among them.

usage: sample.py DATA_SET FOLDER QUESTIONS
"""
import json
import pathlib
import sys

PASSAGES, QUESTIONS = {"drcd": 160}, 240  # drcd asks six questions of each


def jsonl(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main():
    data, folder, questions = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    passages = jsonl(data / "corpus.jsonl")[: PASSAGES.get(data.name, 240)]
    for passage in passages:
        title = passage.get("title")
        text = f"{title}\n{passage['text']}" if title else passage["text"]
        (folder / f"{passage['_id']}.txt".replace("/", "_")).write_text(text, encoding="utf-8")
    known = {passage["_id"] for passage in passages}
    gold = dict(line.split("\t")[:2] for line in (data / "qrels.tsv").read_text().splitlines()[1:])
    asked = [query for query in jsonl(data / "queries.jsonl") if gold.get(query["_id"]) in known]
    step = max(1.0, len(asked) / QUESTIONS)
    asked = [asked[int(i * step)] for i in range(min(QUESTIONS, len(asked)))]
    questions.write_text("".join(json.dumps(query, ensure_ascii=False) + "\n" for query in asked), encoding="utf-8")


if __name__ == "__main__":
    main()
