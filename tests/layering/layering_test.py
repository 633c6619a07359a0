#!/usr/bin/env python3
"""Reads every #include of our own headers against the allowed directions, and every source for what
must not be in one. usage: layering_test.py [SOURCE_DIR]"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else __file__).resolve()
if ROOT.is_file():
    ROOT = ROOT.parents[2]

# What each layer may include, beside itself.
BRACES = ["readers", "transforms", "models", "indexes", "segments", "stores", "caches"]
ALLOWED = {
    "base": [],
    "flows": ["base"],
    "core": ["base"],
    "text": ["base", "core"],
    **{name: ["base", "core", "text"] for name in BRACES},
    "retrieval": ["base", "core", "text", *BRACES],
    "engine": ["base", "core", "text", *BRACES, "retrieval"],
}
ALLOWED["apps"] = [*ALLOWED["engine"], "engine"]

# The layer of each public header.
PUBLIC = {
    "error": "base", "trace": "base", "version": "base",
    "node": "core", "filter": "core", "embedder": "core", "generator": "core", "reader": "core",
    "transform": "core", "settings": "core", "search": "core", "index": "core", "reranker": "core",
     "tune": "core", "store": "core", "cache": "core", "transfer": "core",
    "models": "models",
    "document": "engine",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
SOURCES = (".hpp", ".cpp", ".h", ".cc")


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SOURCES:
                yield path


def includes(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def layer_of_file(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "include":
        return PUBLIC.get(path.stem)
    if parts[0] == "apps":
        return "apps"
    return parts[1] if len(parts) > 2 else "engine"  # src/version.cpp belongs to the whole


def layer_of_include(name, path):
    """The layer of an included header; None: a header of the same folder."""
    parts = name.split("/")
    if len(parts) == 1:
        return None
    return PUBLIC.get(pathlib.Path(name).stem) if parts[0] == "hasten" else parts[0]


def violation(path, name):
    """Why this include is not allowed, or None."""
    if "/" not in name:
        beside = (path.parent / name).exists()
        return None if beside else "no header of this name beside it"
    own, other = layer_of_file(path), layer_of_include(name, path)
    if own is None or other is None:
        return "a public header without a layer: name it in the table of this test"
    if other != own and other not in ALLOWED[own]:
        return f"{own} must not include {other}"
    folder = "include" if name.startswith("hasten/") else "src"
    return None if (ROOT / folder / name).exists() else "there is no such header"


class Layering(unittest.TestCase):
    def test_every_public_header_has_a_layer(self):
        headers = {path.stem for path in (ROOT / "include/hasten").glob("*.hpp")}
        self.assertEqual(headers, set(PUBLIC))

    def test_every_folder_has_a_layer(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertEqual(folders - set(ALLOWED), set())

    def test_includes_go_one_way(self):
        wrong = [f"{path.relative_to(ROOT)}: {name}: {reason}"
                 for path in sources("src", "include", "apps") for name in includes(path)
                 if (reason := violation(path, name))]
        self.assertEqual(wrong, [])

    def test_public_headers_include_public_headers_alone(self):
        wrong = [f"{path.name}: {name}" for path in sources("include", "examples", "tests/consumer")
                 for name in includes(path) if not name.startswith("hasten/")]
        self.assertEqual(wrong, [])

    def test_the_rules_find_violations(self):
        cases = [
            ("src/base/files.cpp", "hasten/node.hpp", "base must not include core"),
            ("src/readers/html.cpp", "transforms/split.hpp", "readers must not include transforms"),
            ("src/models/llama.cpp", "hasten/document.hpp", "models must not include engine"),
            ("src/flows/graph.cpp", "core/ids.hpp", "flows must not include core"),
            ("src/text/words.cpp", "retrieval/fuse.hpp", "text must not include retrieval"),
            ("src/engine/ask/ask.cpp", "cli/verbs.hpp", "engine must not include cli"),
            ("src/core/ids.cpp", "hasten/unheard_of.hpp", "without a layer"),
            ("src/core/ids.cpp", "base/unheard_of.hpp", "no such header"),
        ]
        for path, name, reason in cases:
            with self.subTest(path=path, name=name):
                self.assertIn(reason, violation(ROOT / path, name) or "allowed")
        self.assertIsNone(violation(ROOT / "src/engine/ask/ask.cpp", "base/files.hpp"))
        self.assertIsNone(violation(ROOT / "src/models/x.cpp", "hasten/settings.hpp"))


class Sources(unittest.TestCase):
    """What no source of ours holds."""

    FORBIDDEN = [
        (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished work"),
        (re.compile(r"(?<![\w.])(/root|/work|/Users|/home/\w+)/|" + re.escape(str(ROOT))), "a path of one machine"),
        (re.compile(r"\bGTEST_SKIP\(\)\s*;"), "a test that is skipped without a word"),
    ]
    FOLDERS = ["src", "include", "apps", "examples", "tests", "bench", "cmake", "tools", ".ci"]
    TEXTS = SOURCES + (".py", ".cmake", ".txt", ".in", ".sh", ".toml", ".json", "")

    def files(self):
        for folder in self.FOLDERS:
            for path in sorted((ROOT / folder).rglob("*")):
                data = "data" in path.parts or "golden" in path.parts
                if path.is_file() and path.suffix in self.TEXTS and not data and path != pathlib.Path(__file__).resolve():
                    yield path

    def test_nothing_forbidden(self):
        found = []
        for path in self.files():
            text = path.read_text(encoding="utf-8", errors="replace")
            for pattern, what in self.FORBIDDEN:
                for match in pattern.finditer(text):
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(f"{path.relative_to(ROOT)}:{line}: {what}: {match.group().strip()}")
        self.assertEqual(found, [])

    def test_headers_are_guarded(self):
        wrong = [str(path.relative_to(ROOT)) for path in sources("src", "include", "apps")
                 if path.suffix == ".hpp" and "#pragma once" not in path.read_text(encoding="utf-8")]
        self.assertEqual(wrong, [])


class Names(unittest.TestCase):
    """Two classes of one name in one library are one to the linker."""

    def test_no_two_headers_define_the_same(self):
        known = {}
        for path in sources("src", "include"):
            if path.suffix != ".hpp":
                continue
            spaces = []
            for line in path.read_text(encoding="utf-8").splitlines():
                if opened := re.match(r"namespace ([\w:]+) \{", line):
                    spaces.append(opened[1])
                elif line.startswith("}  // namespace"):
                    spaces.pop()
                elif defined := re.match(r"(?:struct|class) (\w+)(?: final)?(?: :.*)? \{", line):
                    known.setdefault("::".join([*spaces, defined[1]]), []).append(str(path.relative_to(ROOT)))
        self.assertEqual({name: files for name, files in known.items() if len(files) > 1}, {})
        self.assertIn("hasten::SegmentStore", known)


if __name__ == "__main__":
    unittest.main()
