"""One Chinese question over a mixed folder, in every mode: found, found again, and answered by quoting."""
import json
import pathlib
import tempfile
import unittest

from hasten import run, call, setUpModule, write_corpus  # noqa: F401

QUESTION = "北京有多少地铁站？"
MODES = ["bm25", "vector", "hybrid"]


class Subway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        docs = folder / "docs"
        write_corpus("xquad-en", docs / "en", 60)
        write_corpus("cmrc2018", docs / "zh", 60)
        (docs / "beijing.md").write_text(
            "# 北京地铁\n\n截至2023年底，北京地铁共有27条线路，490座车站，运营里程836公里。\n",
            encoding="utf-8")
        (docs / "shanghai.md").write_text(
            "# 上海地铁\n\n截至2023年底，上海地铁共有20条线路，508座车站。\n", encoding="utf-8")
        cls.kb = folder / "kb.hasten"
        run("ingest", docs, "--quiet", kb=cls.kb)

    def test_the_right_passage_comes_first_and_the_bytes_stay(self):
        for mode in MODES:
            with self.subTest(mode):
                first, again = (
                    json.dumps(call("search", QUESTION, "--mode", mode, kb=self.kb)["hits"])
                    for _ in range(2))
                self.assertTrue(json.loads(first)[0]["path"].endswith("beijing.md"))
                self.assertEqual(first, again)

    def test_the_sentence_that_answers_is_quoted_first(self):
        for mode in MODES:
            with self.subTest(mode):
                answer = call("ask", QUESTION, "--generator", "extractive", "--mode", mode, kb=self.kb)
                self.assertTrue(answer["citations"][0]["path"].endswith("beijing.md"))
                self.assertIn("490", answer["citations"][0]["text"])
                self.assertIn("490", answer["answer"])


if __name__ == "__main__":
    unittest.main()
