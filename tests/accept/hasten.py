"""Runs the real program for the acceptance suite."""
import json
import os
import pathlib
import subprocess
import unittest

HASTEN = os.environ["HASTEN"]
EVIDENCE = os.environ.get("HASTEN_EVIDENCE", "")
DATA = pathlib.Path(os.environ["HASTEN_SHARED_DATA"]).resolve()


def setUpModule():
    if not DATA.is_dir():
        raise unittest.SkipTest(f"SKIPPED: no data sets in {DATA}")


def run(*arguments, kb=None, code=0, cwd=None):
    """The finished process; its exit code must be `code`."""
    command = [HASTEN, *map(str, arguments)]
    if kb is not None:
        command += ["--kb", str(kb)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    if done.returncode != code:
        raise AssertionError(f"{command}: exit {done.returncode}, expected {code}\n{done.stderr}")
    return done


def call(*arguments, kb=None, code=0, cwd=None):
    """The last JSON object that the verb prints."""
    lines = run(*arguments, "--json", "--quiet", kb=kb, code=code, cwd=cwd).stdout.splitlines()
    return json.loads(lines[-1])


def jsonl(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_corpus(data_set, folder, limit=None):
    """Writes the passages of a data set as one text file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for passage in jsonl(DATA / data_set / "corpus.jsonl")[:limit]:
        title = passage.get("title")
        text = f"{title}\n{passage['text']}" if title else passage["text"]
        (folder / f"{passage['_id']}.txt".replace("/", "_")).write_text(text, encoding="utf-8")
    return folder
