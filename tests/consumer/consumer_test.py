#!/usr/bin/env python3
"""Installs into a folder, moves the folder, builds a consumer project against it and runs it: nothing
that is installed may depend on where it was built. usage: consumer_test.py BUILD_DIR"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
HERE = pathlib.Path(__file__).resolve().parent


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def sanitizers():
    """A library with sanitizers needs a program with the same."""
    found = re.search(r"^HASTEN_SANITIZE:\w+=(.+)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return [f"-DCMAKE_CXX_FLAGS=-fsanitize={found[1]}"] if found else []


class Consumer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        run("cmake", "--install", BUILD, "--prefix", root / "first")
        cls.prefix = root / "moved"
        (root / "first").rename(cls.prefix)
        cls.work = root / "work"
        cls.work.mkdir()
        # An installation that found its resources through these would prove nothing.
        cls.environment = {k: v for k, v in os.environ.items()
                           if k not in ("HASTEN_DATA", "LD_LIBRARY_PATH")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_a_project_finds_builds_and_runs(self):
        build = self.work / "build"
        run("cmake", "-S", HERE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", *sanitizers(),
            env=self.environment)
        run("cmake", "--build", build, env=self.environment)
        out = run(build / "consumer", self.work / "kb.hasten", env=self.environment)
        self.assertRegex(out, r"^hasten \d+\.\d+\.\d+ works$")

    def test_nothing_that_is_loaded_comes_from_the_build(self):
        out = run("ldd", self.prefix / "bin/hasten", env=self.environment)
        self.assertNotIn("not found", out)
        self.assertNotIn(str(BUILD), out)
        self.assertIn(str(self.prefix), out)

    def test_a_store_is_a_module_that_is_opened_when_it_is_asked_for(self):
        hasten = self.prefix / "bin/hasten"
        loaded = run("ldd", hasten, env=self.environment)
        for library in ("grpc", "protobuf", "libpq"):
            self.assertNotIn(library, loaded)
        text = self.work / "a.txt"
        text.write_text("Some text.", encoding="utf-8")
        for store, uri in (("milvus", "http://127.0.0.1:1"), ("postgres", "postgresql://a@127.0.0.1:1/b")):
            module = self.prefix / "lib" / f"libhasten-{store}.so"
            self.assertNotIn(str(BUILD), run("ldd", module, env=self.environment))
            ingest = [hasten, "ingest", text, "--no-embed", "--kb", self.work / f"{store}.hasten", "--store",
                      f'{{"vector_store": {{"type": "{store}", "kwargs": {{"uri": "{uri}"}}}}}}']
            run(*ingest, env=self.environment)
            module.rename(module.with_suffix(".away"))
            with self.assertRaisesRegex(AssertionError, rf"{module.name} is not beside the library in "):
                run(*ingest, env=self.environment)
            module.with_suffix(".away").rename(module)

    def test_the_program_runs(self):
        hasten = self.prefix / "bin/hasten"
        self.assertRegex(run(hasten, "--version", env=self.environment), r"^hasten \d")
        page = self.work / "page.html"
        page.write_text("<h1>Title</h1><p>Some text.</p>", encoding="utf-8")
        self.assertIn("Some text.", run(hasten, "read", page, env=self.environment))

    def test_the_reader_finds_pdfium(self):
        pdf = self.work / "one.pdf"
        pdf.write_bytes(one_page_pdf("Hello from a page"))
        out = run(self.prefix / "bin/hasten", "read", pdf, env=self.environment)
        self.assertIn("Hello from a page", out)

    def test_headers_are_complete(self):
        for header in sorted((self.prefix / "include/hasten").glob("*.hpp")):
            with self.subTest(header=header.name):
                run("c++", "-std=c++20", "-fsyntax-only", "-x", "c++", f"-I{self.prefix}/include", header)


def one_page_pdf(text):
    """The smallest PDF with one line of text."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(pdf)
    pdf += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    pdf += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return pdf + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


if __name__ == "__main__":
    unittest.main()
