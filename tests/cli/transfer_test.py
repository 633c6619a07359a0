"""backup, restore and migrate: what is written, what is refused, and what a kill leaves."""
import json
import random
import signal
import socket
import subprocess
import time
import unittest

from hasten import FAILED, PROGRAM, WRONG_USE, CliTest

QUESTIONS = ["tea", "地铁 车站", "the index is mapped", "Moon"]


class TransferTest(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()

    def fill(self, files=150):
        for n in range(files):
            self.write(f"docs/more/{n}.txt", "".join(
                f"Part {i} of report {n} says that {n * 31 + i} trains passed station {i * n}. " for i in range(30)))
        return self.ingest("docs", "--no-embed")

    def results(self, kb, modes=("bm25",)):
        hits = [self.ok("search", question, "--mode", mode, "--top-k", "20", "--kb", kb, "--json").json["hits"]
                for mode in modes for question in QUESTIONS]
        return [[(hit["id"], hit["text"], hit["score"]) for hit in some] for some in hits]

    def whole(self, kb):
        self.assertTrue(self.ok("verify", "--kb", kb, "--json", "--quiet").json["ok"])

    def kill_at_random(self, words, within, moments):
        child = self.start_hasten(*words)
        time.sleep(moments.uniform(0, within))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        return child.returncode == 0

    def entries(self):
        return {path.name for path in self.folder.iterdir()}


class Backup(TransferTest):
    def test_there_and_back_with_vectors(self):
        self.ingest("docs", "--embedder", "all-MiniLM-L6-v2")
        report = self.ok("backup", "saved", "--json", "--quiet").json
        self.assertEqual((report["documents"], report["replaced"], report["verified"]), (4, False, True))
        self.assertGreater(report["checked"]["vectors"], 0)
        self.assertGreater(report["bytes"], 0)
        back = self.ok("restore", "saved", "--kb", "back", "--json", "--quiet").json
        self.assertEqual(back["commit"], report["commit"])
        modes = ("bm25", "vector", "hybrid")
        self.assertEqual(self.results("back", modes), self.results("kb.hasten", modes))
        self.assertEqual(self.ok("status", "--kb", "back", "--json").json["commit"], report["commit"] + 1)
        unchanged = self.ok("ingest", "docs", "--kb", "back", "--json", "--quiet").json
        self.assertEqual((unchanged["files_unchanged"], unchanged["texts_embedded"]), (4, 0))

    def test_what_is_there_is_replaced_only_where_that_was_asked_for(self):
        self.ingest("docs", "--no-embed")
        self.ok("backup", "saved")
        self.assertIn("took the place", self.ok("backup", "saved").out)
        self.assertIn("other things", self.fails(FAILED, "refused", "backup", "docs", "--json").err)
        self.assertIn("--force", self.fails(FAILED, "refused", "restore", "saved", "--json").err)
        self.ok("ingest", "notes.md", "--no-embed", "--quiet")
        self.ok("restore", "saved", "--force")
        self.assertEqual(self.ok("status", "--json").json["documents"], 4)
        self.fails(FAILED, "not_found", "restore", "docs", "--kb", "new")
        self.fails(FAILED, "not_found", "backup", "new", "--kb", "nothing")
        self.ok("ingest", "notes.md", "--no-embed", "--kb", "other", "--quiet")
        self.assertIn("another knowledge base",
                      self.fails(FAILED, "refused", "backup", "saved", "--kb", "other").err)

    def test_beside_a_writer_in_another_process(self):
        self.fill(40)
        moments = random.Random(3)
        for n in range(4):
            for file in moments.sample(sorted((self.folder / "docs/more").iterdir()), 20):
                file.write_text(file.read_text() + f"\nVersion {n}.\n")
            writer = self.start_hasten("ingest", "docs", "--no-embed", "--quiet") if n % 2 == 0 else \
                self.start_hasten("compact", "--quiet")
            while writer.poll() is None:
                self.ok("backup", "saved", "--json", "--quiet")
                self.whole("saved")
            self.assertEqual(writer.returncode, 0, writer.communicate())
        self.ok("backup", "saved", "--quiet")
        self.assertEqual(self.results("saved"), self.results("kb.hasten"))

    def test_a_kill_leaves_the_older_one(self):
        self.fill()
        began = time.monotonic()
        self.ok("backup", "saved", "--quiet")
        length = time.monotonic() - began
        self.ingest("notes.md", "--no-embed")
        moments = random.Random(5)
        for _ in range(7):
            self.kill_at_random(["backup", "saved", "--quiet"], length, moments)
            self.whole("saved")
            self.assertIn(self.ok("status", "--kb", "saved", "--json").json["documents"], (154, 155))
            self.kill_at_random(["restore", "saved", "--kb", "back", "--quiet"], length, moments)
            if (self.folder / "back").exists():
                self.whole("back")
                self.ok("restore", "saved", "--kb", "back", "--force", "--quiet")
        self.ok("backup", "saved", "--quiet")
        self.ok("restore", "saved", "--kb", "back", "--force", "--quiet")
        self.assertEqual(self.results("back"), self.results("kb.hasten"))
        self.assertEqual({name for name in self.entries() if ".part" in name}, set())


    def test_no_room_leaves_the_older_one(self):
        self.fill(40)
        self.ok("backup", "saved", "--quiet")
        self.ingest("notes.md", "--no-embed")
        size = (self.folder / "saved" / "truth.db").stat().st_size // 1024
        for kilobytes in (40, size // 2, size - 8):  # readers of the log need 32 of their own
            for words in (["backup", "saved"], ["restore", "saved", "--kb", "back"]):
                limited = f"trap '' XFSZ; ulimit -f {kilobytes}; exec {PROGRAM} {' '.join(words)} --quiet"
                done = subprocess.run(["bash", "-c", limited], cwd=self.folder, capture_output=True, text=True,
                                      env=self.environment())
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertTrue(done.stderr.startswith("error: full: "), done.stderr)
            self.assertEqual(self.ok("status", "--kb", "saved", "--json").json["documents"], 44)
            self.assertEqual({name for name in self.entries() if "back" in name or ".part" in name}, set())
        self.whole("saved")


class Migrate(TransferTest):
    def test_to_a_new_folder_with_vectors(self):
        self.ingest("docs", "--embedder", "all-MiniLM-L6-v2")
        text = self.ok("migrate", "--from", "kb.hasten", "--to", "new").out
        self.assertIn("equal on both sides", text)
        report = self.ok("migrate", "--from", "kb.hasten", "--to", "new", "--json", "--quiet").json
        self.assertEqual(report["from"], report["to"])
        self.assertEqual(report["from"]["documents"]["count"], 4)
        self.assertGreater(report["from"]["vectors"]["count"], 3)
        self.assertTrue(report["resumed"])
        modes = ("bm25", "vector", "hybrid")
        self.assertEqual(self.results("new", modes), self.results("kb.hasten", modes))
        self.whole("new")

    def test_the_vector_store_alone(self):
        self.ingest("docs", "--embedder", "all-MiniLM-L6-v2")
        before = self.results("kb.hasten", ("vector",))
        store = json.dumps({"vector_store": "memory"})
        report = self.ok("migrate", "--from", "kb.hasten", "--to", store, "--json", "--quiet").json
        self.assertGreater(report["vectors_sent"], 3)
        status = self.ok("status", "--store", store, "--json").json["stores"]["vector_store"]
        self.assertEqual((status["type"], status["sent"], status["waiting"]), ("memory", report["vectors_sent"], 0))
        checked = self.ok("verify", "--store", store, "--json", "--quiet").json["checked"]
        self.assertEqual(checked["vectors_sent"], report["vectors_sent"])
        self.assertEqual(self.results("kb.hasten", ("vector",)), before)
        self.ok("migrate", "--from", store, "--to", "kb.hasten", "--quiet")
        self.assertNotIn("sent", self.ok("status", "--json").json["stores"]["vector_store"])

    def test_a_vector_store_that_is_not_there(self):
        self.ingest("docs", "--embedder", "all-MiniLM-L6-v2")
        with socket.socket() as nobody:  # bound, and not listening
            nobody.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            store = json.dumps({"vector_store": {"type": "chroma", "kwargs": {"uri": uri}}})
            move = ["migrate", "--from", "kb.hasten", "--to", store, "--kb", "new", "--quiet"]
            self.assertIn("run it again", self.fails(FAILED, "unavailable", *move).err)
            self.assertNotIn("new", self.entries())
        back = self.ok("migrate", "--from", "kb.hasten", "--to", "new", "--json", "--quiet").json
        self.assertEqual((back["resumed"], back["nodes_copied"]), (True, 0))
        self.assertEqual(self.results("new", ("vector",)), self.results("kb.hasten", ("vector",)))

    def test_what_is_refused(self):
        self.ingest("docs", "--no-embed")
        self.ingest("notes.md", "--no-embed", "--kb", "other")
        move = ["migrate", "--from", "kb.hasten", "--to"]
        self.assertIn("already", self.fails(FAILED, "refused", *move, "other").err)
        self.assertIn("other things", self.fails(FAILED, "refused", *move, "docs").err)
        self.assertIn("is gone when this ends", self.fails(WRONG_USE, "invalid", *move, '"memory"').err)
        self.fails(FAILED, "not_found", "migrate", "--from", "nothing", "--to", "new")
        self.assertEqual(self.entries() & {"new", "new.migrating"}, set())

    def test_killed_at_any_moment_the_next_run_goes_on(self):
        self.fill()
        began = time.monotonic()
        expected = self.ok("migrate", "--from", "kb.hasten", "--to", "whole", "--json", "--quiet").json
        length = time.monotonic() - began
        before = self.results("kb.hasten")
        moments = random.Random(7)
        resumed = 0
        for round_ in range(3):
            target = f"new{round_}"
            move = ["migrate", "--from", "kb.hasten", "--to", target, "--json", "--quiet"]
            for _ in range(4):
                self.kill_at_random(move, length, moments)
                self.assertTrue((self.folder / target).exists() is False or self.results(target) == before)
            report = self.ok(*move).json
            resumed += report["resumed"]
            self.assertEqual((report["from"], report["to"]), (expected["from"], expected["to"]))
            self.assertLessEqual(report["nodes_copied"], expected["nodes_copied"])
            self.assertEqual(self.results(target), before)
            self.whole(target)
        self.assertGreater(resumed, 0, "no kill came within the copying")
        self.assertEqual({name for name in self.entries() if ".migrating" in name}, set())
        self.assertEqual(self.results("kb.hasten"), before)


if __name__ == "__main__":
    unittest.main()
