"""How the command line is used, and misused: words, flags, help, exit codes."""
import re
import shlex
import subprocess
import unittest

import bert_folder
from hasten import PROGRAM, WRONG_USE, CliTest

VERBS = ["ingest", "search", "ask", "chat", "read", "split", "embed", "status", "remove", "verify", "compact",
         "backup", "restore", "migrate", "eval", "tune", "model list", "model install", "model import"]
COMMON = ["--kb", "--config", "--store", "--json", "--quiet", "--threads", "--memory"]


def examples_of(help_text):
    return [line.strip() for line in help_text.split("Examples:\n")[1].splitlines() if line.strip()]


class Help(CliTest):
    def test_the_program_lists_its_verbs(self):
        text = self.ok("--help").out
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^  {verb.split()[0]} ")

    def test_the_version(self):
        self.assertRegex(self.ok("--version").out, r"^hasten \d+\.\d+\.\d+\n$")

    def test_every_verb_explains_itself(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                text = self.ok(*verb.split(), "--help").out
                self.assertIn(f"Usage: hasten {verb}", text)
                for option in COMMON:
                    self.assertIn(option, text)
                self.assertGreaterEqual(len(examples_of(text)), 1)
                for line in text.splitlines():
                    self.assertLessEqual(len(line), 110, line)

    def test_every_example_runs(self):
        for verb in VERBS:
            for example in examples_of(self.ok(*verb.split(), "--help").out):
                with self.subTest(example=example):
                    self.setUp()
                    self.write_documents()
                    bert_folder.write(self.folder / "folder")
                    if verb != "ingest":
                        self.ingest("docs")
                    if verb == "restore":
                        self.ok("backup", "saved")
                    command = example.replace("hasten ", f"{shlex.quote(str(PROGRAM))} ", 1) \
                        if example.startswith("hasten ") else \
                        example.replace("| hasten ", f"| {shlex.quote(str(PROGRAM))} ")
                    done = subprocess.run(["bash", "-c", command], cwd=self.folder, text=True,
                                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300,
                                          env=self.environment())
                    self.assertEqual(done.returncode, 0, f"{example}\n{done.stdout}\n{done.stderr}")


class WrongUse(CliTest):
    CASES = [
        ([], "a verb is missing"),
        (["serach", "x"], "unknown verb 'serach'; did you mean 'search'?"),
        (["xyzzy"], "known: ingest, search, ask"),
        (["model"], "known: list, install, import"),
        (["model", "instal"], "did you mean 'install'?"),
        (["search"], "QUERY is required"),
        (["ask"], "QUESTION is required"),
        (["ingest"], "PATH is required"),
        (["read"], "FILE is required"),
        (["split"], "FILE is required"),
        (["embed"], "TEXT is required"),
        (["remove"], "PATH is required"),
        (["eval"], "DATASET_DIR is required"),
        (["backup"], "DIR is required"),
        (["restore"], "DIR is required"),
        (["migrate", "--to", "new"], "--from is required"),
        (["migrate", "--from", "a", "--to", '{"type": "mongo"}'], "no store of type 'mongo'"),
        (["search", "x", "--topk", "3"], "unknown flag '--topk'; did you mean '--top-k'?"),
        (["search", "x", "--jsn"], "did you mean '--json'?"),
        (["search", "x", "--top-k", "0"], "'0' is no whole number from 1 on"),
        (["search", "x", "--top-k", "many"], "'many' is no whole number"),
        (["search", "x", "--top-k"], "--top-k"),
        (["search", "two", "words"], "put a text of several words in quotes"),
        (["search", "x", "--mode", "magic"], "hybrid"),
        (["search", "x", "--filter", "lang =="], "column"),
        (["ask", "x", "--temperature", "-1"], "no number from 0 on"),
        (["ingest", ".", "--memory", "lots"], "write 512M or 2G"),
        (["status", "--threads", "two"], "--threads"),
        (["status", "--store", "mongo"], "this build; it has: local"),
        (["embed", "x", "--role", "poem"], "known: query, passage"),
        (["split", "-", "--splitter", "character", "--chunk-size", "5", "--chunk-overlap", "5"],
         "--chunk-overlap takes less than --chunk-size"),
    ]

    def test_each_says_what_would_be_right(self):
        for words, message in self.CASES:
            with self.subTest(words=words):
                self.assertIn(message, self.fails(WRONG_USE, "invalid", *words).err)
                self.assertIn(message, self.fails(WRONG_USE, "invalid", *words, "--json").json["message"])

    def test_a_question_with_no_words(self):
        self.write_documents()
        self.ingest("docs", "--no-embed")
        self.fails(WRONG_USE, "invalid", "search", "?!", "--mode", "bm25", "--json")


class Unwritable(CliTest):
    def test_a_model_folder_that_cannot_be_made(self):
        self.write("file", "not a folder")
        self.fails(1, "not_found", "embed", "x", "--json",
                   environment={"HASTEN_HOME": str(self.folder / "file" / "home")})


class Flags(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs", "--no-embed")

    def test_they_may_stand_anywhere(self):
        expected = self.ok("search", "tea", "--mode", "bm25", "--json").out
        for words in (["--json", "search", "tea", "--mode", "bm25"],
                      ["search", "--json", "--mode=bm25", "tea"],
                      ["--kb", "kb.hasten", "search", "--mode", "bm25", "tea", "--json", "--quiet"],
                      ["search", "--mode", "bm25", "--json", "--", "tea"]):
            with self.subTest(words=words):
                self.assertEqual(self.ok(*words).out, expected)

    def test_the_knowledge_base_from_the_environment(self):
        (self.folder / "kb.hasten").rename(self.folder / "other")
        self.fails(1, "not_found", "status")
        self.ok("status", environment={"HASTEN_KB": "other"})
        self.fails(1, "not_found", "status", "--kb", "kb.hasten", environment={"HASTEN_KB": "other"})

    def test_settings_files(self):
        self.write("hasten.toml", "embeder = 'x'\n")
        self.assertIn("hasten.toml:1: embeder", self.fails(WRONG_USE, "invalid", "status").err)
        self.write("good.json", "{}")
        self.ok("status", "--config", "good.json")
        self.fails(1, "not_found", "status", "--config", "missing.toml")
        (self.folder / "hasten.toml").rename(self.folder / "kb.hasten" / "hasten.toml")
        self.fails(WRONG_USE, "invalid", "status")

    def test_no_colour_and_no_progress_away_from_a_terminal(self):
        result = self.ok("search", "tea", "--mode", "bm25")
        self.assertNotIn("\x1b", result.out + result.err)
        self.assertTrue(re.match(r"1  \d+\.\d{4}  .*tea\.txt", result.out), result.out)

    def test_a_reader_that_has_seen_enough(self):
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {shlex.quote(str(PROGRAM))} read docs/guide.md "
                               "| true"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_full_disk_under_stdout_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "read", "docs/guide.md"], cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("error: full: "), done.stderr)


if __name__ == "__main__":
    unittest.main()
