"""The vectors of the benchmark, made once and kept beside the models.

real: the 117,648 definitions of WordNet and, as questions, 2,000 of its example sentences, embedded with
all-MiniLM-L6-v2. Larger sets: to each real vector a children are added, v = normalise(a + 0.6 * sum_j
g_j (n_j - a) / sqrt(24)), g ~ N(0, 1), n_j = 24 random members of a's 64 nearest: local Gaussians with the
real local covariance. The questions stay the real ones, which are in no set.
"""
import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np


def cache():
    home = os.environ.get("HASTEN_HOME") or pathlib.Path.home() / ".cache/hasten"
    folder = pathlib.Path(home) / "bench/vectors"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save(file, vectors):
    part = file.with_suffix(".part")
    with open(part, "wb") as out:
        np.array(vectors.shape, np.uint32).tofile(out)
        vectors.astype(np.float32).tofile(out)
    part.rename(file)


def wordnet():
    """Definitions with their words, and example sentences."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-q", "wordnet-base"], cwd=folder, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", next(pathlib.Path(folder).glob("*.deb")), folder], check=True)
        texts, examples = set(), set()
        for part in ["noun", "verb", "adj", "adv"]:
            file = pathlib.Path(folder) / f"usr/share/wordnet/data.{part}"
            for line in file.read_text(encoding="latin-1").splitlines():
                if line.startswith("  ") or "|" not in line:
                    continue
                head, gloss = line.split("|", 1)
                fields, gloss = head.split(), gloss.strip()
                words = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(int(fields[3], 16))]
                definition = gloss.split('; "')[0]
                if not definition.startswith('"'):
                    texts.add(f"{', '.join(words)}: {definition}")
                examples.update(e for e in re.findall(r'"([^"]+)"', gloss) if len(e.split()) >= 4)
    texts, examples = sorted(texts), sorted(examples)
    np.random.default_rng(1).shuffle(texts)
    np.random.default_rng(2).shuffle(examples)
    return texts, examples[:2000]


def embed(program, lines, file, role):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as text:
        text.write("\n".join(lines) + "\n")
        text.flush()
        subprocess.run([program, text.name, file, role], check=True)


def real(build):
    folder = cache()
    base, queries = folder / "real.fbin", folder / "queries.fbin"
    if not base.exists() or not queries.exists():
        texts, examples = wordnet()
        embed(build / "bin/embed_texts", examples, queries, "query")
        embed(build / "bin/embed_texts", texts, base, "passage")
    return base, queries


def load(file):
    rows, dim = np.fromfile(file, np.uint32, 2)
    return np.memmap(file, np.float32, "r", 8, (int(rows), int(dim)))


def grown(base, rows):
    """The real vectors with children, `rows` in all."""
    file = cache() / f"grown-{rows}.fbin"
    if file.exists():
        return file
    import faiss
    vectors = np.ascontiguousarray(load(base))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    near = index.search(vectors, 65)[1][:, 1:]
    random = np.random.default_rng(3)
    children = [vectors]
    left = rows - len(vectors)
    while left > 0:
        parents = random.permutation(len(vectors))[:left]
        for some in np.array_split(parents, max(1, len(parents) // 10_000)):
            picked = np.take_along_axis(near[some], random.integers(0, 64, (len(some), 24)), 1)
            steps = vectors[picked] - vectors[some][:, None, :]
            weights = random.standard_normal((len(some), 24, 1), dtype=np.float32)
            child = vectors[some] + 0.6 * (weights * steps).sum(1) / np.sqrt(24)
            children.append(child / np.linalg.norm(child, axis=1, keepdims=True))
        left -= len(parents)
    all_vectors = np.concatenate(children)
    random.shuffle(all_vectors)
    save(file, all_vectors)
    return file


def truth(base, queries, k, allowed=None):
    """Ids of the k nearest of each question, exactly."""
    import faiss
    vectors, asked = load(base), np.ascontiguousarray(load(queries))
    ids = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    best_scores = np.full((len(asked), k), -np.inf, np.float32)
    best_ids = np.full((len(asked), k), -1, np.int64)
    for at in range(0, len(ids), 200_000):
        some = ids[at:at + 200_000]
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors[some]))
        scores, found = index.search(asked, min(k, len(some)))
        scores = np.concatenate([best_scores, scores], 1)
        found = np.concatenate([best_ids, some[found]], 1)
        order = np.argsort(-scores, 1, kind="stable")[:, :k]
        best_scores, best_ids = np.take_along_axis(scores, order, 1), np.take_along_axis(found, order, 1)
    return best_ids
