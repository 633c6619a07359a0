"""Runs every program of examples/ on the documents that come with them."""
import subprocess
import unittest

from hasten import BUILD, ROOT, CliTest


class Examples(CliTest):
    EXPECTED = {
        "ingest_and_search": ["8 files, 8 new", "hybrid:", "hasten-safety.md"],
        "ask": ["Twelve people walked on the Moon", "[1] ", "moon.html"],
        "own_transform": ["tofu.md:", "soy sauce"],
        "prefix_index": ["hasten-safety.md: ", "as by reading every node"],
        "usearch_index": ["moon.html", "5 of 5 as the built-in index finds them"],
    }

    def test_every_example_has_an_expectation(self):
        self.assertEqual({path.stem for path in (ROOT / "examples").glob("*.cpp")}, set(self.EXPECTED))

    def test_each_runs_and_says_what_it_should(self):
        for name, expected in self.EXPECTED.items():
            with self.subTest(example=name):
                done = subprocess.run([BUILD / "bin" / f"example_{name}", ROOT / "examples/documents"],
                                      cwd=self.folder, capture_output=True, text=True, timeout=300)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                for text in expected:
                    self.assertIn(text, done.stdout)


if __name__ == "__main__":
    unittest.main()
