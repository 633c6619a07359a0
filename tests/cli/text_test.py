"""read, split, embed, model: one step at a time."""
import hashlib
import math
import unittest

from hasten import FAILED, WRONG_USE, CliTest


class Read(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()

    def test_the_text_and_nothing_else(self):
        self.assertEqual(self.ok("read", "docs/tea.txt").out.strip(),
                         "Green tea is brewed with water of eighty degrees. Oolong tea takes boiling water.")

    def test_the_fields(self):
        page = self.ok("read", "docs/moon.html", "--json").json
        self.assertEqual((page["format"], page["metadata"]["title"]), ("html", "The Moon"))
        self.assertIn("Twelve people walked on the Moon", page["text"])

    def test_a_text_format_with_nothing_in_it(self):
        self.write("empty.txt", "")
        result = self.ok("read", "empty.txt", "--json")
        self.assertEqual(result.json["text"], "")

    FAILURES = [
        ("missing.txt", None, {"not_found", "io"}),
        ("empty.pdf", b"", {"empty"}),
        ("empty.docx", b"", {"empty"}),
        ("broken.pdf", b"%PDF-1.4 no more", {"corrupt"}),
        ("broken.docx", b"PK\x03\x04 no more", {"corrupt"}),
        ("picture.xyz", b"\x00\x01\x02\x03", {"unsupported"}),
    ]

    def test_failures_have_a_kind(self):
        for name, data, kinds in self.FAILURES:
            with self.subTest(name=name):
                if data is not None:
                    self.write(name, data)
                result = self.run_hasten("read", name, "--json")
                self.assertEqual(result.code, FAILED, result)
                self.assertIn(result.json["error"], kinds, result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn(f"error: {result.json['error']}: ", result.err)

    def test_a_folder_is_no_file(self):
        (self.folder / "folder.txt").mkdir()
        self.assertEqual(self.run_hasten("read", "folder.txt").code, FAILED)

    def test_a_link_to_nowhere(self):
        (self.folder / "link.txt").symlink_to("nowhere")
        self.assertEqual(self.run_hasten("read", "link.txt").code, FAILED)


class Split(CliTest):
    TEXT = "One sentence. Another sentence, a little longer. 第三句话。第四句话也不长。\n\nA last paragraph.\n" * 5

    def nodes(self, *words):
        return self.ok("split", "-", *words, "--json", stdin=self.TEXT).json["nodes"]

    def test_pieces_are_exact(self):
        for splitter in ("sentence", "recursive", "character", "markdown"):
            with self.subTest(splitter=splitter):
                nodes = self.nodes("--splitter", splitter, "--chunk-size", "40", "--chunk-overlap", "8")
                self.assertGreater(len(nodes), 1)
                for node in nodes:
                    start, end = node["span"]
                    self.assertEqual(self.TEXT.encode()[start:end].decode(), node["text"])

    def test_of_a_file_like_of_stdin(self):
        self.write("text.txt", self.TEXT)
        of_file = self.ok("split", "text.txt", "--splitter", "character", "--json").json["nodes"]
        self.assertEqual(of_file, self.nodes("--splitter", "character"))

    def test_an_unknown_splitter_names_the_known(self):
        result = self.fails(FAILED, "not_found", "split", "-", "--splitter", "poem", "--json", stdin="x")
        self.assertIn("sentence", result.json["message"])


class Embed(CliTest):
    def embed(self, *words):
        return self.ok("embed", *words, "--json").json

    def test_the_fields_and_the_length(self):
        result = self.embed("hello", "你好", "a tea ceremony")
        self.assertEqual((result["model"], result["dim"], len(result["vectors"])),
                         ("multilingual-e5-small", 384, 3))
        for vector in result["vectors"]:
            self.assertEqual(len(vector), 384)
            self.assertAlmostEqual(math.hypot(*vector), 1, places=5)

    def test_meaning_is_near_across_languages(self):
        hello, other, tea = self.embed("hello, good morning", "你好，早上好", "the tax on imported steel")["vectors"]
        near = sum(a * b for a, b in zip(hello, other))
        far = sum(a * b for a, b in zip(hello, tea))
        self.assertGreater(near, far)

    def test_roles_differ_where_the_model_has_them(self):
        self.assertNotEqual(self.embed("tea", "--role", "query")["vectors"],
                            self.embed("tea", "--role", "passage")["vectors"])

    def test_the_other_model(self):
        result = self.embed("tea", "--model", "all-MiniLM-L6-v2")
        self.assertEqual((result["model"], result["dim"]), ("all-MiniLM-L6-v2", 384))
        self.assertNotEqual(result["fingerprint"], self.embed("tea")["fingerprint"])

    def test_models_that_cannot_be(self):
        self.assertIn("did you mean 'all-MiniLM-L6-v2'",
                      self.fails(FAILED, "not_found", "embed", "x", "--model", "all-MiniLM-L6", "--json").err)
        self.fails(FAILED, "not_found", "embed", "x", "--model", "missing.gguf", "--json")
        cut = self.write("cut.gguf", b"GGUF\x03\x00\x00\x00")
        self.fails(FAILED, "corrupt", "embed", "x", "--model", cut, "--json")

    def test_a_model_file_cut_short(self):
        whole = next(m for m in self.ok("model", "list", "--json").json["models"]
                     if m["name"] == "all-MiniLM-L6-v2")
        with open(whole["file"], "rb") as file:
            cut = self.write("short.gguf", file.read(whole["bytes"] * 3 // 4))
        self.fails(FAILED, "corrupt", "embed", "x", "--model", cut, "--json")
        self.write_documents()
        self.ingest("docs", "--no-embed")
        self.fails(FAILED, "corrupt", "ingest", "docs", "--embedder", cut, "--kb", "other", "--json")


class Models(CliTest):
    def test_the_list(self):
        models = {m["name"]: m for m in self.ok("model", "list", "--json").json["models"]}
        self.assertLessEqual({"multilingual-e5-small", "all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"}, set(models))
        for model in models.values():
            self.assertIn(model["kind"], ("embedder", "generator"))
            self.assertTrue(model["licence"])
        self.assertEqual(sum(m["default"] for m in models.values()), 2)

    def test_what_is_installed_is_what_it_says(self):
        model = self.ok("model", "install", "all-MiniLM-L6-v2", "--json").json["models"][0]
        self.assertTrue(model["installed"])
        with open(model["file"], "rb") as file:
            self.assertEqual(hashlib.file_digest(file, "sha256").hexdigest(), model["sha256"])

    def test_an_unknown_model_names_the_known(self):
        result = self.fails(FAILED, "not_found", "model", "install", "gpt-17", "--json")
        self.assertIn("multilingual-e5-small", result.json["message"])


class Stdin(CliTest):
    def test_bytes_that_are_no_text(self):
        self.write("bad.txt", b"one \xff\xfe two\x00 three")
        self.ok("split", "bad.txt", "--splitter", "character", "--json")

    def test_a_chunk_larger_than_itself(self):
        self.fails(WRONG_USE, "invalid", "split", "-", "--chunk-size", "0", "--json", stdin="x")


if __name__ == "__main__":
    unittest.main()
