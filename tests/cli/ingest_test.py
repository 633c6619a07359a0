"""ingest, status, remove, verify, compact: what is in a knowledge base, and that it stays whole."""
import contextlib
import os
import shutil
import signal
import sqlite3
import time
import unittest

from hasten import FAILED, IN_PART, INTERRUPTED, CliTest

COUNTS = ["files_seen", "files_new", "files_changed", "files_moved", "files_unchanged", "files_removed",
          "files_skipped", "files_failed", "nodes_added", "nodes_removed", "texts_embedded", "bytes_read",
          "bytes_written"]


class Ingest(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()

    def counted(self, *words):
        """The files_* counts that are not zero."""
        report = self.ingest("docs", "--no-embed", *words)
        return {key[6:]: report[key] for key in COUNTS if key.startswith("files_") and report[key]}

    def test_the_fields(self):
        report = self.ingest("docs")
        for key in COUNTS:
            self.assertIsInstance(report[key], int, key)
        self.assertIsInstance(report["seconds"], float)
        self.assertEqual(report["failures"], [])
        self.assertEqual((report["files_seen"], report["files_new"]), (4, 4))
        self.assertGreater(report["nodes_added"], 3)
        self.assertGreater(report["texts_embedded"], 3)
        self.assertTrue(report["stages"])
        for stage in report["stages"]:
            self.assertGreaterEqual(stage["duration_ms"], 0)

    def test_only_what_changed_is_done(self):
        self.assertEqual(self.counted(), {"seen": 4, "new": 4})
        self.assertEqual(self.counted(), {"seen": 4, "unchanged": 4})
        self.write("docs/tea.txt", "White tea is not rolled.\n")
        self.assertEqual(self.counted(), {"seen": 4, "changed": 1, "unchanged": 3})
        (self.folder / "docs/guide.md").rename(self.folder / "docs/manual.md")
        self.assertEqual(self.counted(), {"seen": 4, "moved": 1, "unchanged": 3})
        (self.folder / "docs/moon.html").unlink()
        self.assertEqual(self.counted(), {"seen": 3, "removed": 1, "unchanged": 3})
        self.write("docs/new.md", "# New\n\nSomething new.\n")
        self.assertEqual(self.counted(), {"seen": 4, "new": 1, "unchanged": 3})
        self.assertEqual(self.ok("status", "--json").json["documents"], 4)

    def test_a_moved_document_keeps_its_id(self):
        self.counted()
        before = self.ok("search", "immutable segments", "--mode", "bm25", "--json").json["hits"][0]
        (self.folder / "docs/guide.md").rename(self.folder / "docs/manual.md")
        self.counted()
        after = self.ok("search", "immutable segments", "--mode", "bm25", "--json").json["hits"][0]
        self.assertEqual((before["doc_id"], before["id"]), (after["doc_id"], after["id"]))
        self.assertTrue(after["path"].endswith("manual.md"))

    def test_what_is_left_out(self):
        self.write("docs/.hidden.md", "hidden")
        self.write("docs/.gitignore", "*.log.md\n")
        self.write("docs/build.log.md", "ignored")
        (self.folder / "docs/out.md").symlink_to(self.folder / "notes.md")
        self.assertEqual(self.counted("--exclude", "*.html"), {"seen": 3, "new": 3})

    def test_include(self):
        self.assertEqual(self.counted("--include", "*.md"), {"seen": 2, "new": 2})

    def test_words_first_and_vectors_later(self):
        self.assertEqual(self.ingest("docs", "--no-embed")["texts_embedded"], 0)
        self.assertGreater(self.ok("status", "--json").json["vectors_missing"], 0)
        self.assertGreater(self.ingest("docs")["texts_embedded"], 0)
        self.assertEqual(self.ok("status", "--json").json["vectors_missing"], 0)

    def test_an_empty_folder(self):
        (self.folder / "empty").mkdir()
        report = self.ingest("empty")
        self.assertEqual((report["files_seen"], report["files_new"]), (0, 0))

    def test_a_root_that_is_suddenly_empty_forgets_only_when_told(self):
        self.counted()
        shutil.rmtree(self.folder / "docs")
        (self.folder / "docs").mkdir()
        report = self.ingest("docs", "--no-embed")
        self.assertEqual(report["files_removed"], 0)
        self.assertTrue(report["notices"])
        self.assertEqual(self.ok("status", "--json").json["documents"], 4)
        self.assertEqual(self.ingest("docs", "--no-embed", "--prune")["files_removed"], 4)
        self.assertEqual(self.ok("status", "--json").json["documents"], 0)

    def test_a_missing_path(self):
        self.fails(FAILED, "not_found", "ingest", "nowhere", "--json")

    def test_files_that_fail_are_named_and_cost_only_themselves(self):
        self.write("docs/broken.pdf", b"%PDF-1.4\nnothing of the kind")
        self.write("docs/broken.docx", b"PK\x03\x04 cut short")
        self.write("docs/picture.xyz", b"\x89unknown\x00\x01")
        result = self.run_hasten("ingest", "docs", "--no-embed", "--json", "--quiet")
        self.assertEqual(result.code, IN_PART, result)
        report = result.json
        self.assertEqual((report["files_new"], report["files_failed"], report["files_skipped"]), (4, 2, 1))
        self.assertEqual(sorted(f["path"].split("/")[-1] for f in report["failures"]),
                         ["broken.docx", "broken.pdf"])
        for failure in report["failures"]:
            self.assertIn(failure["error"], ("corrupt", "empty", "unsupported"))
            self.assertTrue(failure["message"])
        human = self.run_hasten("ingest", "docs", "--no-embed")
        self.assertIn("broken.pdf", human.err)

    def test_a_directory_named_like_a_file(self):
        (self.folder / "docs/folder.txt").mkdir()
        self.write("docs/folder.txt/inner.md", "# Inner\n\nText inside.\n")
        self.assertEqual(self.counted(), {"seen": 5, "new": 5})

    def test_an_unreadable_file(self):
        path = self.write("docs/secret.txt", "secret")
        path.chmod(0)
        if os.access(path, os.R_OK):
            self.skipTest("SKIPPED: run as root, no file is unreadable")
        result = self.run_hasten("ingest", "docs", "--no-embed", "--json", "--quiet")
        self.assertEqual(result.code, IN_PART, result)
        self.assertEqual(result.json["failures"][0]["error"], "io")

    def test_interrupted_and_gone_on_with(self):
        text = "Sentence number {} speaks of a thing that no other sentence speaks of: {}.\n\n"
        for i in range(60):
            self.write(f"many/{i}.txt", "".join(text.format(j, i * 1000 + j) for j in range(200)))
        process = self.start_hasten("ingest", "many")
        deadline = time.monotonic() + 60
        while not (self.folder / "kb.hasten/truth.db").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, INTERRUPTED, out + err)
        self.assertIn("error: cancelled: ", err)
        self.ok("verify")
        self.ingest("many", "--no-embed")
        self.assertEqual(self.ok("status", "--json").json["documents"], 60)


class LookingAfter(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs")

    def test_status(self):
        status = self.ok("status", "--json").json
        self.assertEqual((status["documents"], status["documents_failed"]), (4, 0))
        self.assertGreater(status["nodes"]["MediumChunk"], 3)
        self.assertGreater(status["vectors"], 3)
        self.assertGreater(status["bytes"]["truth"], 0)
        self.assertTrue(status["fingerprints"])
        self.assertIn("documents                 4", self.ok("status").out)

    def test_remove(self):
        self.assertEqual(self.ok("remove", "docs/tea.txt", "--json").json["removed"], 1)
        hits = self.ok("search", "green tea", "--mode", "bm25", "--json").json["hits"]
        self.assertEqual(hits, [])
        self.fails(FAILED, "not_found", "remove", "docs/tea.txt", "--json")
        self.assertEqual(self.ok("remove", "docs", "--json").json["removed"], 3)

    def test_verify_and_compact(self):
        report = self.ok("verify", "--json").json
        self.assertEqual((report["problems"], report["ok"]), ([], True))
        self.assertTrue(report["checked"])
        self.ok("remove", "docs/tea.txt", "docs/moon.html")
        self.assertIsInstance(self.ok("compact", "--json").json["bytes_freed"], int)
        self.ok("verify")
        self.assertEqual(self.ok("search", "green tea", "--mode", "bm25", "--json").json["hits"], [])

    def test_a_damaged_segment_is_found_and_rebuilt(self):
        before = self.ok("search", "rare words", "--json").out
        with contextlib.closing(sqlite3.connect(self.folder / "kb.hasten/truth.db")) as truth:
            number, image = truth.execute("SELECT id, bytes FROM segments JOIN images ON segment = id "
                                          "WHERE kind = 'words'").fetchone()
            data = bytearray(image)
            data[len(data) // 2] ^= 0x40
            truth.execute("UPDATE images SET bytes = ? WHERE segment = ?", (bytes(data), number))
            truth.commit()
        result = self.run_hasten("verify", "--json")
        self.assertEqual(result.code, FAILED, result)
        self.assertEqual((result.json["error"], result.json["ok"]), ("damaged", False))
        self.assertIn("error: damaged: ", result.err)
        self.ok("verify", "--repair")
        self.ok("verify")
        self.assertEqual(self.ok("search", "rare words", "--json").out, before)

    def test_a_damaged_truth_is_an_error_with_a_name(self):
        truth = self.folder / "kb.hasten/truth.db"
        for data in (b"", b"not a database at all, but long enough to be read as one" * 100,
                     truth.read_bytes()[:2000]):
            with self.subTest(bytes=len(data)):
                truth.write_bytes(data)
                for leftover in (self.folder / "kb.hasten").glob("truth.db-*"):
                    leftover.unlink()
                result = self.fails(FAILED, "damaged", "search", "tea", "--mode", "bm25", "--json")
                self.assertIn("truth.db", result.err)

    def test_no_knowledge_base(self):
        for words in (["status"], ["search", "x"], ["ask", "x"], ["verify"]):
            with self.subTest(words=words):
                self.fails(FAILED, "not_found", *words, "--kb", "nowhere", "--json")
        self.assertFalse((self.folder / "nowhere").exists())

    def test_one_writer_at_a_time_and_readers_go_on(self):
        for i in range(40):
            self.write(f"many/{i}.txt", "".join(f"Text {i}, sentence {j}, all its own. " for j in range(300)))
        writer = self.start_hasten("ingest", "many")
        try:
            lock = self.folder / "kb.hasten" / "writer.lock"
            while writer.poll() is None and f"process {writer.pid})" not in (
                    lock.read_text() if lock.exists() else ""):
                time.sleep(0.005)
            refused = self.run_hasten("compact", "--json")
            self.assertEqual(refused.json["error"], "locked", refused)
            self.assertIn("process", refused.json["message"])
            self.ok("search", "moon", "--mode", "bm25")
            self.assertIsNone(writer.poll(), "the writer ended too early to show anything")
        finally:
            writer.send_signal(signal.SIGINT)
            writer.communicate(timeout=120)


if __name__ == "__main__":
    unittest.main()
