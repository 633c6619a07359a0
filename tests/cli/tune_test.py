"""hasten tune: what it measures, prints, draws and writes, on a small real knowledge base."""
import signal
import time
import tomllib
import unittest
import xml.etree.ElementTree

from hasten import FAILED, INTERRUPTED, WRONG_USE, CliTest

KINDS = ["flat", "graph", "ivf", "pq", "ivf_pq", "rabitq", "disk"]
ANIMALS = "fox owl crow bear wolf hare swan goat deer toad newt moth wasp crab seal lynx mole".split()
PLACES = "forest river meadow valley island desert harbour village castle garden".split()
DEEDS = "sleeps hunts sings hides waits feeds drinks builds".split()


class Tune(CliTest):
    def setUp(self):
        super().setUp()
        self.write("kb.toml", 'embedder = "all-MiniLM-L6-v2"\ngroup = "Line"\n[[groups]]\nname = "Line"\n'
                              'splitter = "sentence"\nchunk_size = 16\nchunk_overlap = 0\n')

    def make(self, sentences):
        """A knowledge base of about so many passages, each of a sentence."""
        texts = [f"The {a} of the {p} {d} near the old {q}."
                 for a in ANIMALS for p in PLACES for d in DEEDS for q in PLACES if p != q][:sentences]
        for i in range(0, len(texts), 100):
            self.write(f"docs/{i}.txt", "\n".join(texts[i:i + 100]))
        self.ok("ingest", "docs", "--config", "kb.toml", "--group", "Line", "--quiet", timeout=300)

    def tune(self, *words, **more):
        return self.ok("tune", "--config", "kb.toml", *words, **more)

    def leftovers(self):
        return [path.name for path in (self.folder / "kb.hasten/cache").rglob("*") if path.name != "tune.lock"]


class Measures(Tune):
    def test_a_corpus_of_two_thousand_passages(self):
        self.make(2000)
        before = sorted(path.name for path in (self.folder / "kb.hasten/segments").iterdir())
        report = self.tune("--json", "--recall", "0.9", "--svg", "tune.svg").json
        self.assertEqual([c["kind"] for c in report["candidates"] if c["codes"] == "f32"], KINDS)
        self.assertGreater(report["vectors"], 1500)
        self.assertEqual(report["measured"], report["vectors"])
        self.assertFalse(report["own_questions"])
        self.assertIsNotNone(report["chosen"])
        for candidate in report["candidates"]:
            with self.subTest(candidate=candidate["kind"], codes=candidate["codes"]):
                for point in candidate["points"]:
                    self.assertLessEqual(point["p50_us"], point["p99_us"])
                    self.assertLessEqual(point["recall"], 1)
                if candidate["points"]:
                    self.assertGreater(candidate["disk_bytes"], 0)
        exact = next(c for c in report["candidates"] if (c["kind"], c["codes"]) == ("flat", "f32"))
        self.assertEqual(exact["points"][0]["recall"], 1)
        chosen = next(c for c in report["candidates"]
                      if {key: c[key] for key in ("kind", "codes")} == report["chosen"])
        self.assertGreaterEqual(chosen["best"]["recall"], 0.9)

        svg = xml.etree.ElementTree.parse(self.folder / "tune.svg").getroot()
        self.assertTrue(svg.tag.endswith("svg"))
        words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("recall@10", words)
        measured = {c["kind"] for c in report["candidates"] if c["points"]}
        self.assertEqual({word.split()[0] for word in words if word.split()[0] in KINDS}, measured)

        self.assertEqual(self.leftovers(), [])
        self.assertEqual(sorted(path.name for path in (self.folder / "kb.hasten/segments").iterdir()), before)

    def test_a_sample_and_its_notice(self):
        self.make(1200)
        result = self.tune("--json", "--kinds", "flat,ivf", "--codes", "int8", "--sample", "1100", "--top-k", "5")
        self.assertEqual(result.json["measured"], 1100)
        self.assertIn("note: measured on 1100 of ", result.err)
        self.assertEqual([(c["kind"], c["codes"]) for c in result.json["candidates"]],
                         [("flat", "int8"), ("ivf", "int8")])


class Small(Tune):
    def setUp(self):
        super().setUp()
        self.make(40)

    def test_the_table_marks_the_choice(self):
        lines = self.tune("--quiet").out.splitlines()
        self.assertEqual(lines[0].split()[:4], ["kind", "codes", "setting", "recall"])
        self.assertEqual(len([line for line in lines if line.startswith("* flat ")]), 1, lines)
        self.assertIn("reaches a recall of 1.0000", lines[-1])

    def test_own_questions(self):
        self.write("questions.txt", "Where does the fox sleep?\r\n\n  \nWho sings?\n")
        self.assertEqual(self.tune("--json", "--queries", "questions.txt").json["questions"], 2)
        self.write("queries.jsonl", '{"_id": "1", "text": "Where does the fox sleep?"}\n')
        report = self.tune("--json", "--queries", "queries.jsonl").json
        self.assertEqual((report["questions"], report["own_questions"]), (1, True))

    def test_writing_the_choice_keeps_the_file(self):
        config = self.folder / "kb.toml"
        before = "# mine\n" + config.read_text()
        config.write_text(before)
        result = self.tune("--write", "--recall", "0.8")
        self.assertIn("kb.toml: recall = 0.8, [index] kind = \"flat\"", result.err)
        after = config.read_text()
        settings = tomllib.loads(after)
        self.assertEqual(settings["recall"], 0.8)
        self.assertEqual(settings["index"]["kind"], "flat")
        for line in before.splitlines():
            self.assertIn(line, after.splitlines())

    def test_nothing_within_the_limits(self):
        result = self.run_hasten("tune", "--config", "kb.toml", "--memory-max", "1K", "--json", "--write")
        self.assertEqual(result.code, FAILED, result)
        self.assertIsNone(result.json["chosen"])
        self.assertIn("more memory or disk", result.json["reason"])
        self.assertNotIn("index", tomllib.loads((self.folder / "kb.toml").read_text()))


class WrongUse(Tune):
    def test_words_that_mean_nothing(self):
        for words, message in [(["--kinds", "grapf"], "did you mean 'graph'?"),
                               (["--kinds", "smart"], "name others"),
                               (["--codes", "int9"], "did you mean 'int8'?"),
                               (["--recall", "1.5"], "no share"),
                               (["--sample", "0"], "from 1 on"),
                               (["--memory-max", "much"], "write 512M or 2G")]:
            with self.subTest(words=words):
                self.assertIn(message, self.fails(WRONG_USE, "invalid", "tune", *words).err)

    def test_what_cannot_be_tuned(self):
        self.fails(FAILED, "not_found", "tune")
        self.write("docs/a.txt", "The fox sleeps.")
        self.ok("ingest", "docs", "--no-embed", "--quiet", "--kb", "words")
        self.assertIn("has no vectors yet", self.fails(FAILED, "empty", "tune", "--kb", "words").err)
        self.make(10)
        self.assertIn("did you mean 'Line'?",
                      self.fails(FAILED, "not_found", "tune", "--config", "kb.toml", "--group", "Lines").err)
        self.write("none.txt", "\n \n")
        self.assertIn("holds no question",
                      self.fails(FAILED, "empty", "tune", "--config", "kb.toml", "--queries", "none.txt").err)
        self.fails(FAILED, "not_found", "tune", "--config", "kb.toml", "--queries", "missing.txt")
        self.write("kb.json", "{}")
        self.fails(FAILED, "unsupported", "tune", "--config", "kb.json", "--write")


class Interrupted(Tune):
    def test_nothing_stays(self):
        self.make(1500)
        process = self.start_hasten("tune", "--config", "kb.toml")
        work = self.folder / "kb.hasten/cache/tune"
        deadline = time.monotonic() + 60
        while not (work.exists() and any(work.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERRUPTED, err)
        self.assertEqual(self.leftovers(), [])


if __name__ == "__main__":
    unittest.main()
