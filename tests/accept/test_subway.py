"""One Chinese question over a mixed folder, in every mode, before and after a restart."""
import json
import pathlib
import tempfile
import unittest

from hasten import run, call, setUpModule, write_corpus  # noqa: F401

QUESTION = "北京有多少地铁站？"


class Subway(unittest.TestCase):
    def test_the_right_passage_comes_first_and_the_bytes_stay(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            docs = folder / "docs"
            write_corpus("xquad-en", docs / "en", 60)
            write_corpus("cmrc2018", docs / "zh", 60)
            (docs / "beijing.md").write_text(
                "# 北京地铁\n\n截至2023年底，北京地铁共有27条线路，490座车站，运营里程836公里。\n",
                encoding="utf-8")
            (docs / "shanghai.md").write_text(
                "# 上海地铁\n\n截至2023年底，上海地铁共有20条线路，508座车站。\n", encoding="utf-8")
            kb = folder / "kb.hasten"
            run("ingest", docs, "--quiet", kb=kb)
            for mode in ["bm25", "vector", "hybrid"]:
                with self.subTest(mode):
                    first, again = (
                        json.dumps(call("search", QUESTION, "--mode", mode, kb=kb)["hits"])
                        for _ in range(2))
                    self.assertTrue(json.loads(first)[0]["path"].endswith("beijing.md"))
                    self.assertEqual(first, again)


if __name__ == "__main__":
    unittest.main()
