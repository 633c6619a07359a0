"""Filters over real passages in both languages: columns, rows and the fields that hits show say the same."""
import pathlib
import sqlite3
import tempfile
import unittest

from hasten import DATA, call, jsonl, run, setUpModule  # noqa: F401

MARK = "everypassage"
CONFIG = """
group = "Sections"
[[groups]]
name = "Sections"
parent = "root"
splitter = "markdown"
chunk_size = 200
chunk_overlap = 0
"""


def is_text(value):
    return isinstance(value, str)


# filter, and its meaning for the fields of a hit: dates are shown as text
CASES = [
    ('lang == "zh"', lambda f: f.get("lang") == "zh"),
    ('语言 == "中文"', lambda f: f.get("语言") == "中文"),
    ('语言 != "中文"', lambda f: "语言" in f and f["语言"] != "中文"),
    ('year >= 2010 and year < 2015', lambda f: 2010 <= f.get("year", 0) < 2015),
    ('year <= 2009.5 or year > 2018', lambda f: "year" in f and not 2009.5 < f["year"] <= 2018),
    ('year in [2001, 2002.0, "2003"]', lambda f: f.get("year") in (2001, 2002)),
    ('score > 0.5', lambda f: f.get("score", 0) > 0.5),
    ('score == 1', lambda f: f.get("score") == 1),
    ('draft == true', lambda f: f.get("draft") is True),
    ('draft != true', lambda f: f.get("draft") is False),
    ('date >= date("2020-06-01") and date <= date("2021-01-31")',
     lambda f: "2020-06-01" <= f.get("date", "") <= "2021-01-31"),
    ('date == "2020-06-01"', lambda f: False),
    ('tag == "城市"', lambda f: "城市" in f.get("tag", [])),
    ('tag != "城市"', lambda f: "tag" in f and "城市" not in f["tag"]),
    ('tag in ["红", "blue"]', lambda f: bool({"红", "blue"} & set(f.get("tag", [])))),
    ('prefix(tag, "城")', lambda f: any(t.startswith("城") for t in f.get("tag", []))),
    ('prefix(path, "en/1")', lambda f: f["path"].startswith("en/1")),
    ('exists(score) and not exists(draft)', lambda f: "score" in f and "draft" not in f),
    ('heading == "背景"', lambda f: f.get("heading") == "背景"),
    ('heading != "背景"', lambda f: is_text(f.get("heading")) and f["heading"] != "背景"),
    ('heading in ["背景", "Details"] and year > 2010',
     lambda f: f.get("heading") in ("背景", "Details") and f.get("year", 0) > 2010),
    ('prefix(heading, "De") or heading == 3',
     lambda f: is_text(f.get("heading")) and f["heading"].startswith("De")),
    ('not (heading == "Details") and lang == "en"',
     lambda f: f.get("heading") != "Details" and f.get("lang") == "en"),
    ('exists(heading) and heading >= "E" and heading < "a"',
     lambda f: is_text(f.get("heading")) and "E" <= f["heading"] < "a"),
]


def front_matter(i, chinese):
    lines = []
    if i % 5:
        lines.append(f"year: {2000 + i % 21}")
    if i % 3 == 0:
        lines.append(f"date: 2020-{1 + i % 12:02}-{1 + i % 28:02}" if i % 2 else f"date: 2021-01-{1 + i % 28:02}")
    if i % 4:
        lines.append(f"draft: {'true' if i % 8 < 4 else 'false'}")
    if i % 7 == 0:
        lines.append(f"score: {i % 5 / 4}")
    if i % 2:
        lines.append("tag: [" + ", ".join(["城市", "blue", "红", "old"][i % 3:i % 3 + 2]) + "]")
    if chinese:
        lines.append("语言: 中文" if i % 2 else "语言: 汉语")
    if i % 11 == 0:
        lines.append("heading: front matter")
    return lines


def write(folder):
    for name, chinese in (("en", False), ("zh", True)):
        (folder / name).mkdir(parents=True)
        for i, passage in enumerate(jsonl(DATA / f"xquad-{name}" / "corpus.jsonl")):
            heading = ["背景", "细节"][i % 2] if chinese else ["Background", "Details", "Effects"][i % 3]
            half = len(passage["text"]) // 2
            (folder / name / f"{i}.md").write_text(
                "---\n" + "\n".join(front_matter(i, chinese)) + f"\n---\n{MARK} {passage['text'][:half]}\n\n"
                f"# {heading}\n\n{MARK} {passage['text'][half:]}\n", encoding="utf-8")


class Filters(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.work = pathlib.Path(self.folder.name)
        (self.work / "hasten.toml").write_text(CONFIG, encoding="utf-8")
        write(self.work / "docs")
        self.kb = self.work / "kb.hasten"
        self.call("ingest", ".", "--no-embed", cwd=self.work / "docs")

    def call(self, *arguments, cwd=None):
        return call(*arguments, "--config", self.work / "hasten.toml", kb=self.kb, cwd=cwd or self.work)

    def search(self, filter_text=None):
        more = ["--filter", filter_text, "--explain"] if filter_text else []
        found = self.call("search", MARK, "--mode", "bm25", "--top-k", 100000, *more)
        by = [stage["notes"].get("by") for stage in found.get("explain", {}).get("stages", [])
              if stage["stage"] == "search.filter"]
        return {hit["id"]: hit["metadata"] for hit in found["hits"]}, by

    def drop_columns(self):
        with sqlite3.connect(self.kb / "truth.db") as db:
            db.execute("delete from segments where kind in ('fields', 'node_fields')")

    def test_every_operator(self):
        everything, _ = self.search()
        self.assertGreater(len(everything), 700)
        answers = {}
        for text, meaning in CASES:
            with self.subTest(text):
                found, by = self.search(text)
                self.assertEqual(by, ["columns"])
                answers[text] = set(found)
                self.assertEqual(set(found), {id for id, fields in everything.items() if meaning(fields)})
        self.assertGreater(len([a for a in answers.values() if a]), len(CASES) - 3)
        self.drop_columns()
        for text, _ in CASES:
            with self.subTest(text, by="rows"):
                found, by = self.search(text)
                self.assertIn("rows", by[0])
                self.assertEqual(set(found), answers[text])

    def test_changed_and_removed_files(self):
        for i in range(0, 60, 3):
            path = self.work / "docs/en" / f"{i}.md"
            if i % 2:
                path.unlink()
            else:
                path.write_text(path.read_text(encoding="utf-8").replace("# Background", "# Details")
                                .replace("year: 20", "year: 30"), encoding="utf-8")
        (self.work / "docs/zh").rename(self.work / "docs/汉语")
        self.call("ingest", ".", "--no-embed", cwd=self.work / "docs")
        everything, _ = self.search()
        more = [("year > 3000", lambda f: f.get("year", 0) > 3000),
                ('prefix(path, "汉语/")', lambda f: f["path"].startswith("汉语/")),
                ('prefix(path, "zh/")', lambda f: False)]
        for text, meaning in CASES + more:
            with self.subTest(text):
                self.assertEqual(set(self.search(text)[0]), {id for id, f in everything.items() if meaning(f)})
        run("verify", kb=self.kb)
        run("compact", kb=self.kb)
        for text, meaning in CASES + more:
            with self.subTest(text, compacted=True):
                self.assertEqual(set(self.search(text)[0]), {id for id, f in everything.items() if meaning(f)})


if __name__ == "__main__":
    unittest.main()
