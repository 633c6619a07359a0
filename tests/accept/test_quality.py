"""Retrieval quality on real questions, in two languages and across them."""
import unittest

from hasten import DATA, call, setUpModule  # noqa: F401  (unittest calls setUpModule)

BM25_AT_LEAST = {"scifact": 0.69, "cmrc2018": 0.97, "drcd": 0.95, "xquad-en": 0.96, "xquad-zh": 0.95}


class Quality(unittest.TestCase):
    def test_every_mode_on_every_set(self):
        for name, bar in BM25_AT_LEAST.items():
            with self.subTest(name):
                modes = call("eval", DATA / name, "--mode", "all")["modes"]
                print(name, {mode: round(score["ndcg@10"], 4) for mode, score in modes.items()})
                self.assertGreaterEqual(modes["bm25"]["ndcg@10"], bar)
                if name == "scifact":
                    best_part = max(modes["bm25"]["ndcg@10"], modes["vector"]["ndcg@10"])
                    self.assertGreaterEqual(modes["hybrid"]["ndcg@10"], best_part)

    def test_late_interaction_is_above_hybrid(self):
        for name in ("xquad-en", "xquad-zh"):
            with self.subTest(name):
                hybrid = call("eval", DATA / name)["ndcg@10"]
                reranked = call("eval", DATA / name, "--reranker", "late_interaction")["ndcg@10"]
                print(name, "hybrid", round(hybrid, 4), "late_interaction", round(reranked, 4))
                self.assertGreater(reranked, hybrid)

    def test_english_questions_find_chinese_passages(self):
        score = call("eval", DATA / "xquad-zh", "--mode", "vector",
                     "--queries", DATA / "xquad-en/queries.jsonl")
        print("cross-lingual recall@10", round(score["recall@10"], 4))
        self.assertGreaterEqual(score["recall@10"], 0.8)


if __name__ == "__main__":
    unittest.main()
