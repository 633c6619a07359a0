"""Reranking from the command line; the server is a small real one that scores by words in common."""
import http.server
import json
import re
import threading
import unittest

import bert_folder
from hasten import FAILED, WRONG_USE, CliTest


def words(text):
    return set(re.findall(r"\w+", text.lower()))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        scores = [len(words(body["query"]) & words(text)) for text in body["documents"]]
        results = [{"index": i, "relevance_score": score} for i, score in enumerate(scores)]
        results.sort(key=lambda result: -result["relevance_score"])
        answer = json.dumps({"results": results[:self.server.most]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Rerank(CliTest):
    def setUp(self):
        super().setUp()
        self.write_documents()
        self.ingest("docs", "--embedder", "all-MiniLM-L6-v2")

    def serve(self, most=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.asked, server.most = [], most
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"http://127.0.0.1:{server.server_address[1]}"

    def search(self, query, *more):
        return self.ok("search", query, "--json", *more).json

    def test_a_server_puts_hits_in_order(self):
        server, url = self.serve()
        found = self.search("boiling water tea", "--reranker", f"{url}/v1#some-model", "--explain")
        path, key, body = server.asked[0]
        self.assertEqual((path, body["model"], body["query"]), ("/v1/rerank", "some-model", "boiling water tea"))
        scores = [hit["score"] for hit in found["hits"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        for hit in found["hits"]:
            self.assertEqual(hit["score"], len(words("boiling water tea") & words(hit["text"])))
            self.assertEqual(hit["text"], body["documents"][hit["first_stage"]["rank"] - 1])
        stage = next(s for s in found["explain"]["stages"] if s["stage"] == "search.rerank")
        self.assertEqual(stage["notes"]["passages"], str(len(body["documents"])))

    def test_a_server_that_forgets_a_document_is_an_error(self):
        _, url = self.serve(most=1)
        self.fails(FAILED, "unavailable", "search", "water", "--reranker", url, "--json")

    def test_nobody_there_is_an_error(self):
        self.fails(FAILED, "unavailable", "search", "water", "--reranker", "http://127.0.0.1:1", "--json")

    def test_an_imported_cross_encoder(self):
        bert_folder.write(self.folder / "bert")
        made = self.ok("model", "import", "bert", "--out", "ranker.gguf", "--json").json["models"][0]
        self.assertEqual((made["kind"], made["file"], made["name"]), ("cross_encoder", "ranker.gguf", "bert"))
        hits = self.search("green tea", "--reranker", "ranker.gguf")["hits"]
        self.assertEqual([hit["score"] for hit in hits], sorted((hit["score"] for hit in hits), reverse=True))
        self.assertGreater(len({hit["score"] for hit in hits}), 1)
        self.fails(FAILED, "not_found", "model", "import", "docs", "--json")
        self.fails(FAILED, "corrupt", "search", "tea", "--reranker", "docs/tea.txt", "--json")

    def test_late_interaction_keeps_token_vectors_and_says_so(self):
        query = ("How many people walked on the Moon?", "--reranker", "late_interaction", "--explain", "--trace")
        notes = lambda found: next(s["notes"] for s in found["explain"]["stages"] if s["stage"] == "search.rerank")
        first, second = self.search(*query), self.search(*query)
        self.assertEqual(first["hits"], second["hits"])
        self.assertTrue(first["hits"][0]["path"].endswith("moon.html"))
        self.assertEqual(notes(first)["token_vectors_cached"], "0")
        self.assertEqual(notes(second)["token_vectors_cached"], notes(second)["passages"])
        self.assertIn("search.rerank", [stage["name"] for stage in second["trace"]])
        kept = self.ok("status", "--json").json["bytes"]["token_cache"]
        self.assertGreater(kept, 0)
        self.assertGreaterEqual(self.ok("compact", "--json").json["bytes_freed"], kept)
        self.assertEqual(self.ok("status", "--json").json["bytes"]["token_cache"], 0)
        self.assertEqual(self.search(*query)["hits"], first["hits"])

    def test_keyword_rules(self):
        paths = lambda rules: [hit["path"] for hit in self.search("water stations segment", "--reranker", rules)["hits"]]
        self.assertTrue(all(path.endswith("tea.txt") for path in paths("keywords:+water")))
        self.assertFalse(any(path.endswith("tea.txt") for path in paths("keywords:-water")))
        self.assertEqual(paths("keywords:+absent"), [])

    def test_the_judge_gives_scores(self):
        found = self.search("How many people walked on the Moon?", "--reranker", "judge", "--rerank-top-k", "2",
                            "--top-k", "2")
        self.assertEqual(len(found["hits"]), 2)

    def test_the_settings_name_one_and_a_flag_says_none(self):
        self.write("hasten.toml", 'reranker = "late_interaction"\nrerank_top_k = 5\n'
                                  '[token_cache]\nbytes_max = 0\ngroups = ["MediumChunk"]\n')
        self.assertIn("first_stage", self.search("water")["hits"][0])
        self.assertNotIn("first_stage", self.search("water", "--reranker", "none")["hits"][0])
        self.assertEqual(self.ok("status", "--json").json["bytes"]["token_cache"], 0)

    def test_explain_shows_the_rank_before(self):
        out = self.ok("search", "water", "--reranker", "late_interaction", "--explain").out
        self.assertRegex(out, r"\(rank 1, \d\.\d+ before\)")

    def test_ask_reranks(self):
        answer = self.ok("ask", "How many people walked on the Moon?", "--generator", "extractive", "--json",
                         "--reranker", "late_interaction").out.splitlines()[-1]
        self.assertIn("first_stage", json.loads(answer)["hits"][0])

    def test_wrong_names(self):
        for name, meant in (("late_interacton", "late_interaction"), ("keyword", "keywords"), ("jugde", "judge")):
            result = self.fails(WRONG_USE, "invalid", "search", "water", "--reranker", name)
            self.assertIn(f"did you mean '{meant}'", result.err)
        self.fails(FAILED, "not_found", "search", "water", "--reranker", "absent.gguf")
        self.fails(WRONG_USE, "invalid", "search", "water", "--rerank-top-k", "0")
        self.write("hasten.toml", 'reranker = "late_interacton"\n')
        self.fails(FAILED, "not_found", "search", "water")

    def test_eval_reranks(self):
        arguments = ("eval", "dataset", "--json", "--embedder", "all-MiniLM-L6-v2")
        plain = self.ok(*arguments).json
        scores = self.ok(*arguments, "--reranker", "late_interaction").json
        self.assertEqual(scores["reranker"], "late_interaction")
        self.assertEqual((plain["queries"], scores["queries"]), (3, 3))
        self.assertEqual(self.ok(*arguments, "--sample", "2").json["queries"], 2)


if __name__ == "__main__":
    unittest.main()
