"""What the README and the documents tell a reader to type is typed."""
import os
import re
import shutil
import subprocess
import unittest

from hasten import BUILD, ROOT, CliTest

READMES = ["README.md", "README.zh.md"]


def blocks(document, language):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(document):
    """Every command of the document's shell blocks, without its comment."""
    lines = [line.split(" #")[0].strip() for block in blocks(document, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


class Readmes(CliTest):
    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / "examples/documents", self.folder / "Documents")

    def shell(self, command, folder):
        path = f"{BUILD / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", command], cwd=folder, text=True, capture_output=True, timeout=300,
                              input="how do I make tea\n",  # of who sits before `hasten chat`
                              env=self.environment(PATH=path, HOME_DOCUMENTS=str(self.folder / "Documents")))
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def test_the_commands_for_a_users_own_documents(self):
        for readme in READMES:
            with self.subTest(readme=readme):
                shutil.rmtree(self.folder / "kb.hasten", ignore_errors=True)
                typed = [line for line in commands(readme) if line.startswith("hasten ")]
                self.assertGreaterEqual(len(typed), 3)
                for command in typed:
                    self.assertTrue(self.shell(command.replace("~/Documents", '"$HOME_DOCUMENTS"'), self.folder))

    def test_the_first_command_ends_in_a_cited_answer(self):
        if BUILD.parent != ROOT / "build":
            self.skipTest(f"SKIPPED: `make demo` builds in {ROOT / 'build'}, and this build is in {BUILD}")
        for readme in READMES:
            self.assertIn("make demo", commands(readme))
        # MAKEFLAGS: whoever runs these tests by `make -j` keeps its job server to itself.
        out = self.shell(f"MAKEFLAGS= make demo PRESET={BUILD.name}", ROOT)
        self.assertRegex(out, r"\[1\]")
        self.assertIn("moon", out.lower())

    def test_the_other_commands_are_targets(self):
        for readme in READMES:
            made = [line for line in commands(readme) if line.startswith("make ")]
            self.assertIn("make test", made)
            for command in made:
                self.shell(f"MAKEFLAGS= {command} --dry-run", ROOT)


class Settings(CliTest):
    def test_the_settings_shown_are_accepted(self):
        shown = blocks("docs/command-line.md", "toml")
        self.assertTrue(shown)
        self.write_documents()
        self.ingest("docs", "--no-embed")
        for block in shown:
            self.write("hasten.toml", block)
            self.ok("search", "tea", "--mode", "bm25")


if __name__ == "__main__":
    unittest.main()
