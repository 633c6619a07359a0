"""Vector indexes of others, each as one contender: build, then search at a setting.

A contender answers all questions in one call where its library takes many at once, on one thread; so
what a call from Python costs is spread over them all. Where it takes one at a time, `overhead_s` is
what a call that does the least work costs, to be taken off.
"""
import pathlib
import time

import numpy as np

THREADS = 2


class Hnswlib:
    name, settings = "hnswlib", [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768]
    overhead_s = 0

    def build(self, base, folder):
        import hnswlib
        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(len(base), M=16, ef_construction=200)
        self.index.add_items(base, num_threads=THREADS)
        self.index.set_num_threads(1)

    def search(self, queries, k, ef, allowed=None):
        self.index.set_ef(max(ef, k))
        accept = None if allowed is None else (lambda i: bool(allowed[i]))
        return self.index.knn_query(queries, k, num_threads=1, filter=accept)[0]


class Faiss:
    overhead_s = 0

    def parameters(self, value, selector):
        raise NotImplementedError

    def build(self, base, folder):
        import faiss
        faiss.omp_set_num_threads(THREADS)
        self.faiss = faiss
        self.index = self.make(faiss, base)
        faiss.omp_set_num_threads(1)

    def search(self, queries, k, value, allowed=None):
        selector = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = self.faiss.IDSelectorBitmap(bits)
        return self.index.search(queries, k, params=self.parameters(value, selector))[1]


class FaissHnsw(Faiss):
    name, settings = "faiss HNSW-SQ8", [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]

    def make(self, faiss, base):
        index = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.train(base)
        index.add(base)
        return index

    def parameters(self, value, selector):
        return self.faiss.SearchParametersHNSW(efSearch=value, sel=selector)


class FaissIvfPq(Faiss):
    # Lists that are looked through, and how many times k are scored again.
    name = "faiss IVF-PQ"
    settings = ["4/8", "8/8", "16/8", "32/8", "64/8", "128/8", "256/8", "128/16", "256/16", "512/16", "512/64"]

    def make(self, faiss, base):
        lists = 1 << max(6, int(np.log2(4 * np.sqrt(len(base)))))
        index = faiss.index_factory(base.shape[1], f"IVF{lists},PQ{base.shape[1] // 4}x4fs,Refine(SQ8)",
                                    faiss.METRIC_INNER_PRODUCT)
        index.train(base[np.random.default_rng(1).permutation(len(base))[:100_000]])
        index.add(base)
        return index

    def parameters(self, value, selector):
        lists, again = map(int, value.split("/"))
        inner = self.faiss.SearchParametersIVF(nprobe=lists, sel=selector)
        return self.faiss.IndexRefineSearchParameters(k_factor=again, base_index_params=inner)


class Usearch:
    name, settings = "usearch bf16", [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768]
    overhead_s = 0

    def prepare(self):
        from usearch.index import Index
        self.library = Index

    def build(self, base, folder):
        self.index = self.library(ndim=base.shape[1], metric="ip", dtype="bf16", connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(base)), base, threads=THREADS)

    def save(self, folder):
        self.index.save(str(folder / "usearch.index"))

    def open(self, folder):
        self.index = self.library.restore(str(folder / "usearch.index"), view=True)

    def search(self, queries, k, ef, allowed=None):
        if allowed is not None:
            return None  # its Python package takes no filter
        self.index.expansion_search = max(ef, k)
        return np.asarray(self.index.search(queries, k, threads=1).keys, dtype=np.int64)


class Scann:
    name, settings = "ScaNN", [5, 10, 20, 30, 40, 60, 80, 120, 200, 300]
    overhead_s = 0

    def build(self, base, folder):
        import scann
        leaves = int(2 * np.sqrt(len(base)))
        self.index = (scann.scann_ops_pybind.builder(base, 10, "dot_product")
                      .tree(num_leaves=leaves, num_leaves_to_search=30, training_sample_size=100_000)
                      .score_ah(2, anisotropic_quantization_threshold=0.2).reorder(100)
                      .set_n_training_threads(THREADS).build())

    def search(self, queries, k, leaves, allowed=None):
        if allowed is not None:
            return None
        return self.index.search_batched(queries, final_num_neighbors=k, leaves_to_search=leaves,
                                         pre_reorder_num_neighbors=10 * k)[0].astype(np.int64)


class Zvec:
    name, settings = "zvec HNSW int8", [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
    overhead_s = 0

    def prepare(self):
        import zvec
        zvec.init(query_threads=1, optimize_threads=THREADS, log_level=zvec.LogLevel.ERROR)
        self.zvec = zvec

    def save(self, folder):
        """Lies in its folder already."""

    def open(self, folder):
        self.index = self.reopened(folder / "zvec")

    def reopened(self, folder):
        return self.zvec.open(path=str(folder), option=self.zvec.CollectionOption(read_only=True, enable_mmap=True))

    def make(self, base, folder, rows):
        zvec = self.zvec
        inverted = zvec.InvertIndexParam(enable_range_optimization=False)
        fields = [zvec.FieldSchema(name, zvec.DataType.INT32, index_param=inverted) for name in self.fields]
        parameters = zvec.HnswIndexParam(metric_type=zvec.MetricType.IP, m=16, ef_construction=200,
                                         quantize_type=zvec.QuantizeType.INT8, use_contiguous_memory=True)
        schema = zvec.CollectionSchema(
            name="bench", fields=fields,
            vectors=zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, base.shape[1], index_param=parameters))
        collection = zvec.create_and_open(path=str(folder), schema=schema)
        for at in range(0, rows, 1000):
            collection.insert([zvec.Doc(id=str(i), vectors={"v": base[i].tolist()},
                                        fields={name: int(of[i]) for name, of in self.fields.items()})
                               for i in range(at, min(rows, at + 1000))])
        collection.flush()
        collection.optimize(zvec.OptimizeOption(concurrency=THREADS))
        collection.flush()
        del collection
        return self.reopened(folder)

    def build(self, base, folder):
        zvec = self.zvec
        # The fields that filters are on: an int32 each, in files of their own.
        self.fields = {file.stem: np.fromfile(file, np.int32) for file in pathlib.Path(folder).glob("*.i32")}
        began = time.process_time()
        self.index = self.make(base, pathlib.Path(folder) / "zvec", len(base))
        self.build_cpu_s = time.process_time() - began
        tiny = self.make(base, pathlib.Path(folder) / "zvec_tiny", 1)
        parameters = zvec.HnswQueryParam(ef=16, is_using_refiner=True)
        began = time.process_time()
        for _ in range(2000):
            tiny.query_internal_ids(zvec.Query("v", vector=base[0], param=parameters), topk=1)
        self.overhead_s = (time.process_time() - began) / 2000

    def search(self, queries, k, ef, where=None):
        parameters = self.zvec.HnswQueryParam(ef=ef, is_using_refiner=True)
        out = np.full((len(queries), k), -1, np.int64)
        for i, query in enumerate(queries):
            found = self.index.query_internal_ids(self.zvec.Query("v", vector=query, param=parameters), topk=k,
                                                  filter=where)
            out[i, :len(found)] = found[:k]
        return out


PEERS = {peer.name: peer for peer in [Zvec, Scann, FaissHnsw, Usearch, Hnswlib, FaissIvfPq]}


def main():
    """Serves one contender: a JSON command a line on stdin, a JSON answer a line on stdout."""
    import json
    import sys
    folder = pathlib.Path(sys.argv[2])
    contender = PEERS[sys.argv[1]]()
    answers, sys.stdout = sys.stdout, sys.stderr
    if hasattr(contender, "prepare"):
        contender.prepare()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = serve(contender, command, folder)
        except Exception as error:  # a contender that fails is a row that says so
            answer = {"error": repr(error)[:500]}
        print(json.dumps(answer), file=answers, flush=True)


def load(file):
    rows, dim = np.fromfile(file, np.uint32, 2)
    return np.memmap(file, np.float32, "r", 8, (int(rows), int(dim)))


def serve(contender, command, folder):
    if command["do"] == "ready":
        return {}
    if command["do"] in ("build", "save", "open"):
        what = [folder] if command["do"] != "build" else [load(command["base"]), folder]
        wall, cpu = time.time(), time.process_time()
        getattr(contender, command["do"])(*what)
        return {"wall_s": time.time() - wall, "cpu_s": time.process_time() - cpu}
    queries = np.ascontiguousarray(load(command["queries"]))
    allowed = command.get("where") if isinstance(contender, Zvec) else command.get("allowed")
    if isinstance(allowed, str) and not isinstance(contender, Zvec):
        allowed = np.fromfile(allowed, np.uint8).astype(bool)
    queries = queries[:command.get("limit", len(queries))]
    wall, cpu = time.time(), time.process_time()
    found = contender.search(queries, command["k"], command["setting"], allowed)
    wall, cpu = time.time() - wall, time.process_time() - cpu
    if found is None:
        return {"error": "takes no filter"}
    np.asarray(found, np.int32).tofile(command["out"])
    overhead = contender.overhead_s * len(queries)
    return {"wall_s": wall - overhead, "cpu_s": cpu - overhead, "queries": len(queries)}


if __name__ == "__main__":
    main()
