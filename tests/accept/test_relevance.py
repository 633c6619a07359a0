"""Honesty: questions that the documents cannot answer are refused, others are not; quotes hold the answer."""
import json
import subprocess
import tempfile
import unittest
import pathlib

from hasten import DATA, EVIDENCE, call, jsonl, run, setUpModule, write_corpus  # noqa: F401

RELEVANT = 0.5


def relevances(corpus, questions):
    """The relevance of the best hits to each question of another (or the same) set."""
    kb = call("eval", DATA / corpus, "--mode", "vector")["kb"]
    done = subprocess.run([EVIDENCE, kb, "root", DATA / questions / "queries.jsonl"],
                          capture_output=True, text=True, check=True)
    return [json.loads(line)["relevance"] for line in done.stdout.splitlines()]


def share_refused(corpus, questions):
    values = relevances(corpus, questions)
    return sum(value < RELEVANT for value in values) / len(values)


class Relevance(unittest.TestCase):
    def test_foreign_questions_are_refused(self):
        share = share_refused("scifact", "xquad-en")
        crossed = share_refused("scifact", "xquad-zh")  # reported: see docs/relevance.md
        print(f"asked of scifact: xquad-en {share:.3f} refused, xquad-zh {crossed:.3f}")
        self.assertGreaterEqual(share, 0.8)

    def test_own_questions_are_answered(self):
        for name, bar in [("xquad-en", 0.05), ("xquad-zh", 0.1), ("cmrc2018", 0.1)]:
            share = share_refused(name, name)
            print(f"{name} asked of itself: {share:.3f} refused")
            self.assertLessEqual(share, bar)

    def test_share_of_quotes_that_hold_the_answer(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name in ["xquad-en", "cmrc2018"]:
                corpus = write_corpus(name, folder / name, 240)
                passages = {path.stem for path in corpus.iterdir()}
                kb = folder / f"{name}.hasten"
                run("ingest", corpus, "--quiet", kb=kb)
                gold = dict(line.split("\t")[:2] for line in
                            (DATA / name / "qrels.tsv").read_text().splitlines()[1:])
                questions = [q for q in jsonl(DATA / name / "queries.jsonl")
                             if gold.get(q["_id"]) in passages][:100]
                held = 0
                for question in questions:
                    answer = call("ask", question["text"], "--generator", "extractive", kb=kb)
                    quoted = "\n".join(citation["text"] for citation in answer["citations"])
                    held += any(text in quoted for text in question["answers"])
                print(f"{name}: {held / len(questions):.3f} of extractive answers cite the gold string")
                self.assertGreater(held / len(questions), 0.4)


if __name__ == "__main__":
    unittest.main()
