"""Runs the real program in a folder of its own. The build folder is in $HASTEN_BUILD."""
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["HASTEN_BUILD"]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = BUILD / "bin" / "hasten"

WRONG_USE, FAILED, IN_PART, INTERRUPTED = 2, 1, 3, 130

# Small, real, in two languages and three formats.
DOCUMENTS = {
    "docs/guide.md": "# The index\n\nThe index is kept in immutable segments. A segment is mapped, never "
                     "read whole.\n\n## Words\n\nWords are ranked with BM25, which prefers rare words.\n",
    "docs/metro.zh.md": "# 北京地铁\n\n截至2023年底，北京的城市轨道交通有27条运营线路，共有车站490座。\n\n"
                        "10号线是一条环线，共有45座车站。\n",
    "docs/tea.txt": "Green tea is brewed with water of eighty degrees. Oolong tea takes boiling water.\n",
    "docs/moon.html": "<html><head><title>The Moon</title></head><body><h1>The Moon</h1><p>Twelve people "
                      "walked on the Moon between 1969 and 1972.</p></body></html>",
    "notes.md": "# Notes\n\nStations are counted once, also where two lines meet.\n",
    "dataset/corpus.jsonl": '{"_id": "d1", "title": "Tea", "text": "Green tea is brewed with warm water."}\n'
                            '{"_id": "d2", "title": "", "text": "Twelve people walked on the Moon."}\n'
                            '{"_id": "d3", "title": "地铁", "text": "北京地铁十号线是一条环线。"}\n',
    "dataset/queries.jsonl": '{"_id": "q1", "text": "How is green tea brewed?"}\n'
                             '{"_id": "q2", "text": "Who walked on the Moon?"}\n'
                             '{"_id": "q3", "text": "哪条地铁是环线？"}\n'
                             '{"_id": "q4", "text": "not judged"}\n',
    "dataset/qrels.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td3\t1\n",
}


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        """The one JSON object on stdout."""
        lines = self.out.splitlines()
        if len(lines) != 1:
            raise AssertionError(f"expected one line on stdout, got {len(lines)}: {self.out!r} {self.err!r}")
        return json.loads(lines[0])

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class CliTest(unittest.TestCase):
    """A test case with an empty folder, and the documents above on demand."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8") if isinstance(text, str) else path.write_bytes(text)
        return path

    def write_documents(self):
        for name, text in DOCUMENTS.items():
            self.write(name, text)

    def environment(self, **more):
        kept = {k: v for k, v in os.environ.items() if k not in ("HASTEN_KB", "NO_COLOR")}
        return {**kept, **more}

    def run_hasten(self, *words, stdin="", environment=None, timeout=120):
        done = subprocess.run([PROGRAM, *map(str, words)], cwd=self.folder, input=stdin, text=True,
                              capture_output=True, timeout=timeout, encoding="utf-8",
                              env=self.environment(**(environment or {})))
        return Result(done)

    def start_hasten(self, *words):
        return subprocess.Popen([PROGRAM, *map(str, words)], cwd=self.folder, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())

    def ok(self, *words, **more):
        result = self.run_hasten(*words, **more)
        self.assertEqual(result.code, 0, f"{shlex.join(map(str, words))}: {result}")
        return result

    def fails(self, code, kind, *words, **more):
        """The exit code, one line on stderr, and the same in JSON."""
        result = self.run_hasten(*words, **more)
        self.assertEqual(result.code, code, f"{shlex.join(map(str, words))}: {result}")
        lines = [line for line in result.err.splitlines() if not line.startswith("note: ")]
        self.assertEqual(len(lines), 1, result)
        self.assertTrue(lines[0].startswith(f"error: {kind}: "), result)
        if "--json" in words:
            self.assertEqual(result.json["error"], kind)
            self.assertTrue(result.json["message"])
        return result

    def ingest(self, *words):
        return self.ok("ingest", *words, "--json", "--quiet").json
