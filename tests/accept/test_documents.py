"""Every document of a format we read gives its expected text or error, within its limits."""
import json
import pathlib
import resource
import re
import subprocess
import time
import unicodedata
import unittest

from hasten import DATA, HASTEN, setUpModule  # noqa: F401

FORMATS = {"txt", "md", "html", "pdf", "docx", "csv", "json", "jsonl"}


def normal(text):
    folded = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    return folded.replace("\u00ad", "").replace("\u200b", "")


def read(path, limits):
    def limit():
        bytes_max = limits["rss_mb"] << 21
        resource.setrlimit(resource.RLIMIT_AS, (bytes_max, bytes_max))
    began = time.monotonic()
    done = subprocess.run([HASTEN, "read", str(path)], capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=limits["seconds"], preexec_fn=limit)
    return done, time.monotonic() - began


class Documents(unittest.TestCase):
    def test_each(self):
        folder = DATA / "documents"
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        ours = {name: e for name, e in expected.items() if e["format"] in FORMATS}
        self.assertGreater(len(ours), 50)
        for name, expect in sorted(ours.items()):
            with self.subTest(name):
                self.check(folder / name, expect)

    def check(self, path, expect):
        limits = expect.get("limits") or {"rss_mb": 2048, "seconds": 30}
        done, _ = read(path, limits)
        self.assertTrue(0 <= done.returncode < 64, done.stderr)
        text = done.stdout.decode("utf-8")
        flat = normal(text)
        for banned in expect.get("must_not") or []:
            self.assertNotIn(banned, text)
        outcome = expect["outcome"]
        if outcome == "text" or (outcome == "text_or_error" and done.returncode == 0):
            self.assertEqual(done.returncode, 0, done.stderr)
            missing = [t for t in expect.get("contains") or [] if normal(t) not in flat]
            if not expect.get("optional"):
                self.assertEqual(missing, [])
        elif outcome == "error":
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"error: {expect['error']}", done.stderr.decode())
        elif outcome == "empty":
            self.assertEqual((done.returncode, flat), (0, ""))


if __name__ == "__main__":
    unittest.main()
