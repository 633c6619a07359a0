"""A small BERT of random weights with a classification head, in Hugging Face's layout."""
import json
import random
import struct

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "water", "the", "moon", "##s", "green", "?", "."]
WIDTH, INNER, POSITIONS = 32, 64, 64


def tensors():
    def linear(name, out, into):
        return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}

    def norm(name):
        return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}

    layer = "bert.encoder.layer.0."
    return {"bert.embeddings.word_embeddings.weight": (len(VOCABULARY), WIDTH),
            "bert.embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
            "bert.embeddings.token_type_embeddings.weight": (2, WIDTH),
            **norm("bert.embeddings.LayerNorm"),
            **linear(layer + "attention.self.query", WIDTH, WIDTH), **linear(layer + "attention.self.key", WIDTH, WIDTH),
            **linear(layer + "attention.self.value", WIDTH, WIDTH), **linear(layer + "attention.output.dense", WIDTH, WIDTH),
            **norm(layer + "attention.output.LayerNorm"), **linear(layer + "intermediate.dense", INNER, WIDTH),
            **linear(layer + "output.dense", WIDTH, INNER), **norm(layer + "output.LayerNorm"),
            **linear("bert.pooler.dense", WIDTH, WIDTH), **linear("classifier", 1, WIDTH)}


def write(folder, seed=1):
    folder.mkdir(parents=True, exist_ok=True)
    source, header, data = random.Random(seed), {}, b""
    for name, shape in tensors().items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = struct.pack(f"<{n}f", *(source.gauss(0, 0.3) for _ in range(n)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "num_attention_heads": 2}), encoding="utf-8")
