"""Answers from a real OpenAI-compatible server: llama.cpp's Python server with the default generator."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from hasten import call, run, setUpModule  # noqa: F401

SERVER = "llama-cpp-python[server]==0.3.36"
QUESTION = "How far away is the Moon?"


def python_with_server():
    """An environment with the server, made once beside the models; building it takes minutes."""
    home = pathlib.Path(os.environ.get("HASTEN_HOME") or pathlib.Path.home() / ".cache/hasten")
    folder = home / "accept/llama-server"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "-q", SERVER], check=True)
        (folder / "complete").touch()
    return folder / "bin/python"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(model):
    port = free_port()
    process = subprocess.Popen([python_with_server(), "-m", "llama_cpp.server", "--model", model, "--host", "127.0.0.1",
                                "--port", str(port), "--n_ctx", "2048"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).close()
                break
            if process.poll() is not None:
                raise RuntimeError("the server ended")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


class Server(unittest.TestCase):
    def test_a_cited_answer_streams_from_a_server(self):
        run("model", "install", "--quiet")
        model = next(m["file"] for m in call("model", "list")["models"] if m["name"] == "SmolLM2-135M-Instruct")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "docs").mkdir()
            (folder / "docs/moon.txt").write_text("The Moon is on average 384,400 kilometres away from the Earth.\n")
            kb = folder / "kb"
            call("ingest", folder / "docs", kb=kb)
            with server(model) as url:
                lines = run("ask", QUESTION, "--generator", url, "--json", "--quiet", kb=kb).stdout.splitlines()
                tokens = [json.loads(line)["token"] for line in lines[:-1]]
                answer = json.loads(lines[-1])
                self.assertGreater(len(tokens), 3)
                self.assertIn("384,400", answer["answer"])
                self.assertTrue(answer["citations"][0]["path"].endswith("moon.txt"))
                self.assertGreater(answer["metrics"]["tokens"], 0)
                again = call("ask", QUESTION, "--generator", url, kb=kb)
                self.assertEqual(again["answer"], answer["answer"])
            gone = call("ask", QUESTION, "--generator", url, kb=kb, code=1)
            self.assertEqual(gone["error"], "unavailable")


if __name__ == "__main__":
    unittest.main()
