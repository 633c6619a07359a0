"""kill -9 at random moments of an ingest: nothing acknowledged is lost, and the next run ends the same."""
import json
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest

from hasten import HASTEN, call, run, setUpModule, write_corpus  # noqa: F401

KILLS = 20
QUESTIONS = ["范廷颂是什么时候被任为主教的？", "Who won the game?", "1990年", "游戏"]


def results(kb):
    found = []
    for mode in ["bm25", "vector", "hybrid"]:
        for question in QUESTIONS:
            hits = call("search", question, "--mode", mode, "--top-k", "20", kb=kb)["hits"]
            found.append([(hit["id"], round(hit["score"], 6)) for hit in hits])
    return found


class Kills(unittest.TestCase):
    def test_an_interrupted_ingest_ends_as_an_uninterrupted_one(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            corpus = write_corpus("cmrc2018", folder / "corpus", 150)
            whole = folder / "whole.hasten"
            began = time.monotonic()
            run("ingest", corpus, "--quiet", kb=whole)
            length = time.monotonic() - began
            kb = folder / "killed.hasten"
            moments = random.Random(7)
            for n in range(KILLS):
                child = subprocess.Popen([HASTEN, "ingest", str(corpus), "--quiet", "--kb", str(kb)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(moments.uniform(0, length * 0.6))
                child.send_signal(signal.SIGKILL)
                child.wait()
                if (kb / "truth.db").exists():
                    run("verify", "--quiet", kb=kb)
                if n % 5 == 4:  # change something, so that there is more than one commit's work
                    some = sorted(corpus.iterdir())[n]
                    some.write_text(some.read_text(encoding="utf-8") + f"\n{n}\n", encoding="utf-8")
            run("ingest", corpus, "--quiet", kb=whole)
            run("ingest", corpus, "--quiet", kb=kb)
            run("verify", "--quiet", kb=kb)
            self.assertEqual(call("status", kb=kb)["nodes"], call("status", kb=whole)["nodes"])
            self.assertEqual(results(kb), results(whole))

    def test_copies_that_are_killed(self):
        """A backup is whole or the older one; a migration goes on; what is moved finds the same."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            corpus = write_corpus("cmrc2018", folder / "corpus", 150)
            kb, saved, moved = folder / "kb.hasten", folder / "saved", folder / "moved.hasten"
            run("ingest", corpus, "--quiet", kb=kb)
            run("backup", saved, "--quiet", kb=kb)
            some = sorted(corpus.iterdir())[0]
            some.write_text(some.read_text(encoding="utf-8") + "\nanew\n", encoding="utf-8")
            run("ingest", corpus, "--quiet", kb=kb)
            before, commit = results(kb), call("status", kb=kb)["commit"]
            older = json.loads((saved / "backup.json").read_text(encoding="utf-8"))["commit"]
            moments = random.Random(11)
            resumed = 0
            for n in range(2 * KILLS):
                for verb in (["backup", str(saved), "--kb", str(kb)],
                             ["migrate", "--from", str(kb), "--to", str(moved)]):
                    child = subprocess.Popen([HASTEN, *verb, "--quiet"], stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL)
                    time.sleep(moments.uniform(0, 0.3))
                    child.send_signal(signal.SIGKILL)
                    child.wait()
                run("verify", "--quiet", kb=saved)
                self.assertIn(json.loads((saved / "backup.json").read_text(encoding="utf-8"))["commit"],
                              (older, commit))
                if n % 4 == 3:
                    report = call("migrate", "--from", kb, "--to", moved)
                    resumed += report["resumed"]
                    self.assertEqual(report["from"], report["to"])
                    run("verify", "--quiet", kb=moved)
                    self.assertEqual(results(moved), before)
                    moved = folder / f"moved{n}.hasten"
            self.assertGreater(resumed, 0)
            run("backup", saved, "--quiet", kb=kb)
            run("restore", saved, "--quiet", kb=folder / "back.hasten")
            self.assertEqual(results(folder / "back.hasten"), before)


if __name__ == "__main__":
    unittest.main()
