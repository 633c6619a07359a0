"""search, ask, eval: what is found, the fields, and the same answer every time."""
import json
import unittest

from hasten import FAILED, WRONG_USE, CliTest

HIT_FIELDS = {"id", "doc_id", "path", "group", "span", "score", "text", "metadata"}


class Search(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs")

    def hits(self, *words):
        return self.ok("search", *words, "--json").json["hits"]

    CASES = [  # question, mode, the file that answers it
        ("Who walked on the Moon?", "bm25", "moon.html"),
        ("Who walked on the Moon?", "vector", "moon.html"),
        ("Who walked on the Moon?", "hybrid", "moon.html"),
        ("环线有多少座车站", "bm25", "metro.zh.md"),
        ("环线有多少座车站", "hybrid", "metro.zh.md"),
        ("subway lines in Beijing", "vector", "metro.zh.md"),  # asked in English of a Chinese text
        ("brewing oolong", "hybrid", "tea.txt"),
    ]

    def test_the_right_file_comes_first(self):
        for question, mode, name in self.CASES:
            with self.subTest(question=question, mode=mode):
                self.assertEqual(self.hits(question, "--mode", mode)[0]["path"].split("/")[-1], name)

    def test_the_fields_of_a_hit(self):
        hits = self.hits("rare words")
        self.assertLessEqual(HIT_FIELDS, set(hits[0]))
        for hit in hits:
            self.assertRegex(hit["id"], r"^[0-9a-f]{32}$")
            self.assertEqual(hit["group"], "MediumChunk")
            start, end = hit["span"]
            text = self.ok("read", f"docs/{hit['path'].split('/')[-1]}", "--json").json["text"]
            self.assertEqual(text.encode()[start:end].decode(), hit["text"])
        scores = [hit["score"] for hit in hits]
        self.assertEqual(scores, sorted(scores, reverse=True))

    def test_top_k_and_group(self):
        self.assertEqual(len(self.hits("tea water moon index", "--mode", "bm25", "--top-k", "2")), 2)
        self.ingest("docs", "--group", "FineChunk")
        self.assertEqual({h["group"] for h in self.hits("tea", "--group", "FineChunk")}, {"FineChunk"})
        self.fails(FAILED, "not_found", "search", "tea", "--group", "Nothing", "--json")

    def test_operators(self):
        def files(query, mode):
            hits = self.ok("search", query, "--mode", mode, "--json").json["hits"]
            return {hit["path"].split("/")[-1] for hit in hits}
        for mode in ("bm25", "vector", "hybrid"):
            with self.subTest(mode=mode):
                self.assertEqual(files("words +BM25", mode), {"guide.md"})
                self.assertNotIn("tea.txt", files("green tea moon -oolong", mode))
                self.assertEqual(files('"boiling water"', mode), {"tea.txt"})
                self.assertEqual(files('"water boiling"', mode), set())
                self.assertNotIn("moon.html", files('people tea -"on the Moon"', mode))

    def test_filter(self):
        chinese = self.hits("station tea moon", "--filter", 'lang == "zh"')
        self.assertEqual({hit["path"].split("/")[-1] for hit in chinese}, {"metro.zh.md"})
        self.assertEqual(self.hits("tea", "--filter", "year > 3000"), [])

    def test_the_same_bytes_every_time(self):
        for mode in ("hybrid", "vector", "bm25"):
            words = ["search", "how is green tea brewed?", "--mode", mode, "--json"]
            first = self.ok(*words).out
            self.assertEqual(self.ok(*words).out, first)
            self.assertEqual(self.ok(*words, "--threads", "1").out, first)
        self.ingest("docs")  # nothing is new: nothing changes
        self.assertEqual(self.ok(*words).out, first)

    def test_the_trace_and_the_explanation(self):
        result = self.ok("search", "tea", "--trace", "--explain", "--json").json
        names = [stage["name"] for stage in result["trace"]]
        self.assertEqual(names[0], "process.start")
        self.assertIn("search.bm25", names)
        starts = [stage["start_ms"] for stage in result["trace"]]
        self.assertEqual(starts, sorted(starts))
        explanation = result["explain"]
        self.assertEqual((explanation["mode"], explanation["group"]), ("hybrid", "MediumChunk"))
        self.assertTrue(explanation["stages"])
        human = self.ok("search", "tea", "--trace", "--explain")
        self.assertIn("search.bm25", human.err)
        self.assertIn("mode hybrid, group MediumChunk, filter none, top 10", human.out)
        self.assertEqual(self.ok("search", "tea", "--json").json["trace"], [])

    def test_nothing_found_is_no_failure(self):
        result = self.ok("search", "xyzzyplugh", "--mode", "bm25", "--json")
        self.assertEqual(result.json["hits"], [])


class Composed(CliTest):
    """Several questions and retrievers, and what is made of what they find."""

    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs", "--no-embed", "--group", "FineChunk")
        self.write("hasten.toml", "[search]\nmode = \"bm25\"\n")

    def hits(self, *words):
        return self.ok("search", *words, "--json").json["hits"]

    def files(self, *words):
        return [hit["path"].split("/")[-1] for hit in self.hits(*words)]

    def test_further_questions(self):
        self.assertEqual(self.files("oolong"), ["tea.txt"])
        self.assertEqual(set(self.files("oolong", "--query", "环线", "--query", "who walked on the Moon")),
                         {"tea.txt", "metro.zh.md", "moon.html"})

    def test_retrievers_are_fused_and_traced(self):
        words = ["tea water", "--retriever", "group=FineChunk,similarity=bm25,weight=2", "--retriever",
                 'similarity=bm25,filter=format in ["md", "html"] or lang == "en",top_k=5,cut_off=0.1']
        result = self.ok("search", *words, "--trace", "--explain", "--json").json
        self.assertLessEqual({"FineChunk"}, {hit["group"] for hit in result["hits"]})
        spans = [stage for stage in result["trace"] if stage["name"] == "search.bm25"]
        self.assertEqual([span["notes"]["group"] for span in spans], ["FineChunk", "MediumChunk"])
        self.assertEqual(spans[0]["notes"]["weight"], "2")
        self.assertEqual((result["explain"]["mode"], result["explain"]["fusion"]),
                         ("retrievers", "weights"))

    def test_the_same_in_the_settings(self):
        flags = ["--retriever", "group=FineChunk,similarity=bm25,weight=2", "--retriever", "similarity=bm25",
                 "--fusion", "weights", "--fold", "0.5", "--window", "1", "--top-k", "3"]
        expected = self.hits("tea water stations", *flags)
        self.assertTrue(expected)
        self.write("hasten.toml", """
[search]
fusion = "weights"
fold = 0.5
window = 1
top_k = 3

[[retrievers]]
group = "FineChunk"
similarity = "bm25"
weight = 2

[[retrievers]]
similarity = "bm25"
""")
        self.assertEqual(self.hits("tea water stations"), expected)
        self.assertNotEqual(self.hits("tea water stations", "--mode", "bm25"), expected)  # flags go over it

    def test_every_fusion_finds_the_same_passages(self):
        words = ["index words", "--retriever", "similarity=bm25",
                 "--retriever", "similarity=bm25,group=FineChunk"]
        found = {fusion: {hit["id"] for hit in self.hits(*words, "--fusion", fusion)}
                 for fusion in ("reciprocal_ranks", "weights", "calibrated", "shares", "priorities")}
        self.assertTrue(found["weights"])
        self.assertEqual(len({frozenset(ids) for ids in found.values()}), 1)
        for hit in self.hits(*words, "--fusion", "calibrated"):
            self.assertTrue(0 <= hit["score"] <= 1)

    def test_target_window_fold_and_cut_off(self):
        hit = self.hits("BM25", "--target", "root")[0]
        text = self.ok("read", "docs/guide.md", "--json").json["text"]
        self.assertEqual((hit["group"], hit["text"]), ("root", text))
        larger = self.hits("BM25", "--group", "FineChunk", "--target", "MediumChunk")
        self.assertEqual({hit["group"] for hit in larger}, {"MediumChunk"})
        for hit in self.hits("BM25 segments", "--window", "2"):
            start, end = hit["span"]
            self.assertEqual(text.encode()[start:end].decode(), hit["text"])
        self.write("docs/copy.txt", (self.folder / "docs/tea.txt").read_text())
        self.ingest("docs", "--no-embed")
        self.assertEqual(len(self.files("oolong")), 2)
        self.assertEqual(len(self.files("oolong", "--fold", "1")), 1)
        self.assertEqual(len(self.files("oolong", "--diversity", "0.5")), 2)
        best = self.hits("oolong")[0]["score"]
        self.assertEqual(self.files("oolong", "--cut-off", str(best + 0.01)), [])
        self.assertEqual(len(self.files("oolong", "--cut-off", "0")), 2)

    def test_ask_takes_the_same(self):
        lines = self.ok("ask", "oolong", "--query", "who walked on the Moon", "--window", "1", "--generator",
                        "extractive", "--json").out.splitlines()
        hits = json.loads(lines[-1])["hits"]
        self.assertEqual({hit["path"].split("/")[-1] for hit in hits}, {"tea.txt", "moon.html"})

    def test_what_is_wrong_is_said(self):
        cases = [
            (WRONG_USE, "invalid", ["--retriever", "similarty=bm25"], "did you mean 'similarity'?"),
            (WRONG_USE, "invalid", ["--retriever", "bm25"], "KEY=VALUE"),
            (WRONG_USE, "invalid", ["--retriever", "weight=heavy"], "weight: takes a number"),
            (WRONG_USE, "invalid", ["--retriever", "filter=year >"], "filter"),
            (WRONG_USE, "invalid", ["--fusion", "wieghts"], "did you mean 'weights'?"),
            (WRONG_USE, "invalid", ["--mode", "bm25", "--retriever", "similarity=bm25"], "excludes"),
            (WRONG_USE, "invalid", ["--fold", "1.1"], "from 0 to 1"),
            (WRONG_USE, "invalid", ["--diversity", "-1"], "from 0 to 1"),
            (WRONG_USE, "invalid", ["--window", "x"], "whole number"),
            (WRONG_USE, "invalid", ["--cut-off", "high"], "is no number"),
            (FAILED, "not_found", ["--target", "Chapters"], "made: "),
            (FAILED, "not_found", ["--retriever", "similarity=trie"], "known: bm25, cosine"),
            (WRONG_USE, "invalid", ["--retriever", "similarity=bm25,weight=0"], "at least one must be asked"),
        ]
        for code, kind, flags, words in cases:
            with self.subTest(flags=flags):
                self.assertIn(words, self.fails(code, kind, "search", "tea", *flags, "--json").err)
        settings = [
            ("[search]\nfuson = \"weights\"\n", "2: search.fuson: unknown; did you mean 'fusion'?"),
            ("[search]\nfold = 2\n", "2: search.fold: takes a number from 0 to 1"),
            ("[[retrievers]]\nweigth = 2\n", "2: retrievers.0.weigth: unknown; did you mean 'weight'?"),
            ("[[retrievers]]\npriority = \"hi\"\n", "2: retrievers.0.priority: no priority 'hi'"),
        ]
        for text, words in settings:
            self.write("hasten.toml", text)
            with self.subTest(text=text):
                self.assertIn("hasten.toml:" + words, self.fails(WRONG_USE, "invalid", "search", "tea", "--json").err)


class Ask(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs")

    def ask(self, question, *words):
        """The tokens, and the object at the end."""
        lines = self.ok("ask", question, *words, "--json").out.splitlines()
        objects = [json.loads(line) for line in lines]
        self.assertTrue(all(set(o) == {"token"} for o in objects[:-1]))
        return "".join(o["token"] for o in objects[:-1]), objects[-1]

    def check_citations(self, answer):
        for number, citation in enumerate(answer["citations"], 1):
            self.assertEqual(citation["number"], number)
            name = citation["path"].split("/")[-1]
            text = self.ok("read", f"docs/{name}", "--json").json["text"].encode()
            start, end = citation["span"]
            self.assertEqual(text[start:end].decode(), citation["text"])
            for key in ("doc_id", "node_id", "page", "support"):
                self.assertIn(key, citation)

    def test_extractive(self):
        streamed, answer = self.ask("How many people walked on the Moon?", "--generator", "extractive")
        self.assertTrue(answer["found"])
        self.assertIn("Twelve", answer["answer"])
        self.assertIn("Twelve", streamed)
        self.assertTrue(answer["citations"])
        self.assertTrue(answer["citations"][0]["path"].endswith("moon.html"))
        self.check_citations(answer)
        for key in ("ttft_ms", "tpot_ms", "tokens", "prompt_tokens", "total_ms"):
            self.assertGreaterEqual(answer["metrics"][key], 0)
        self.assertLessEqual(answer["metrics"]["ttft_ms"], answer["metrics"]["total_ms"])
        self.assertEqual(answer["generator"], "extractive")
        self.assertEqual(answer["matched_question"], "")
        self.assertEqual(answer["trace"], [])

    def test_a_language_model_streams_and_is_deterministic(self):
        words = ["How is green tea brewed?", "--max-tokens", "24", "--trace"]
        streamed, answer = self.ask(*words)
        self.assertTrue(streamed)
        self.assertGreater(answer["metrics"]["tokens"], 0)
        self.assertGreater(answer["metrics"]["prompt_tokens"], 20)
        self.assertLess(answer["metrics"]["ttft_ms"], answer["metrics"]["total_ms"])
        self.assertEqual(answer["trace"][0]["name"], "process.start")
        self.check_citations(answer)
        again, repeated = self.ask(*words)
        self.assertEqual((again, repeated["answer"]), (streamed, answer["answer"]))

    def test_what_the_documents_do_not_hold(self):
        _, answer = self.ask("What is the capital of Australia?", "--generator", "extractive")
        self.assertFalse(answer["found"])
        self.assertEqual(answer["citations"], [])

    def test_for_people(self):
        result = self.ok("ask", "How many people walked on the Moon?", "--generator", "extractive")
        self.assertIn("Twelve", result.out)
        self.assertRegex(result.out, r"(?m)^\[1\] .*moon\.html:\d+-\d+  “")

    def test_prompts(self):
        self.write("prompt.txt", "Passages:\n{context}\n\nQuestion: {question}\n")
        self.ok("ask", "How is green tea brewed?", "--prompt", "prompt.txt", "--max-tokens", "4")
        self.fails(FAILED, "not_found", "ask", "x", "--prompt", "missing.txt", "--json")

    def test_generators_that_cannot_be(self):
        self.fails(FAILED, "not_found", "ask", "Who walked on the Moon?", "--generator", "NoSuchModel",
                   "--json")
        for wrong in ("NoSuchModel", "./missing.gguf"):  # noticed also where nothing would be found
            self.fails(FAILED, "not_found", "ask", "zyzzyva quokka", "--generator", wrong, "--json")
        cut = self.write("cut.gguf", b"GGUF\x03\x00\x00\x00 cut short")
        self.fails(FAILED, "corrupt", "ask", "Who walked on the Moon?", "--generator", cut, "--json")
        self.fails(FAILED, "unavailable", "ask", "Who walked on the Moon?", "--generator",
                   "http://127.0.0.1:9/v1", "--json")


class Chat(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs")

    def chat(self, questions, *words):
        """The answers, an object each."""
        result = self.ok("chat", *words, "--generator", "extractive", "--json", stdin="\n".join(questions) + "\n")
        objects = [json.loads(line) for line in result.out.splitlines()]
        return [answer for answer in objects if "answer" in answer]

    def test_a_question_goes_on_from_those_before(self):
        answers = self.chat(["How is green tea brewed?", "", "And oolong?", "北京有多少车站？", "其中10号线呢？"])
        self.assertEqual(len(answers), 4)
        for answer, words in zip(answers, ["eighty degrees", "boiling water", "490", "45"]):
            self.assertTrue(answer["found"])
            self.assertIn(words, answer["answer"])

    def test_where_sessions_are_off_each_stands_for_itself(self):
        self.write("off.toml", "[cache.sessions]\non = false\n")
        trace = self.chat(["How is green tea brewed?", "And oolong?"], "--config", "off.toml", "--trace")[1]["trace"]
        session = next(stage for stage in trace if stage["name"] == "ask.session")
        self.assertEqual(session["notes"], {"turns": "0"})

    def test_the_trace_tells_what_was_understood(self):
        trace = self.chat(["How is green tea brewed?", "And oolong?"], "--trace")[1]["trace"]
        session = next(stage for stage in trace if stage["name"] == "ask.session")
        self.assertEqual(session["notes"], {"turns": "1", "question": "And oolong? How is green tea brewed?"})

    def test_one_that_fails_costs_itself(self):
        result = self.run_hasten("chat", "--generator", "http://127.0.0.1:9/v1", "--json",
                                 stdin="How is green tea brewed?\nWhat is the capital of Australia?\n")
        self.assertEqual(result.code, FAILED)
        failed, *_, answer = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(failed["error"], "unavailable")
        self.assertFalse(answer["found"])

    def test_for_people(self):
        result = self.ok("chat", "--generator", "extractive", "--session", "s",
                         stdin="How many people walked on the Moon?\n")
        self.assertIn("Twelve", result.out)
        self.assertIn("the session ends with this program", result.err)


class Eval(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()

    def test_the_fields_and_a_perfect_score(self):
        for mode in ("bm25", "vector", "hybrid"):
            score = self.ok("eval", "dataset", "--mode", mode, "--json").json
            self.assertEqual(score["queries"], 3)
            for key in ("ndcg@10", "recall@10", "mrr@10"):
                self.assertAlmostEqual(score[key], 1.0, msg=mode)
            self.assertGreaterEqual(score["p99_ms"], score["p50_ms"])

    def test_all_modes_in_one_table(self):
        modes = self.ok("eval", "dataset", "--mode", "all", "--json").json["modes"]
        self.assertEqual(list(modes), ["hybrid", "vector", "bm25"])
        self.assertRegex(self.ok("eval", "dataset", "--mode", "all").out, r"(?m)^bm25 +1\.0000 +1\.0000 +1\.0000")

    def test_questions_of_another_set(self):
        self.write("other.jsonl", '{"_id": "q2", "text": "谁在月球上行走过？"}\n')
        score = self.ok("eval", "dataset", "--mode", "vector", "--queries", "other.jsonl", "--json").json
        self.assertEqual((score["queries"], score["mrr@10"]), (1, 1.0))

    def test_broken_ones(self):
        self.fails(FAILED, "not_found", "eval", "nowhere", "--json")
        self.write("dataset/qrels.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n")
        self.fails(FAILED, "corrupt", "eval", "dataset", "--json")


if __name__ == "__main__":
    unittest.main()
