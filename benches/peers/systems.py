"""The peers: for each, how it is built, saved, loaded and asked, and how many bytes it holds.

Every class has `package` (its name in requirements.txt), `how` (its settings, printed with the results), and
    build(data, threads)     save(folder)     load(folder, data)
    set_ef(ef)               how many candidates a search keeps
    search(queries)          ids of the TOP nearest, through the fastest call that the package has for one thread
    bytes(data, folder)      (index without full vectors, full vectors) in bytes for a vector
`batch` is False when the package takes only one query a call. Packages are imported where they are used, so that the
list of systems can be read without any of them.
"""

import json
from pathlib import Path

# Neighbours that every search asks for.
TOP = 10
EF_CONSTRUCTION = 200
M = 16


def size_of(path):
    """Bytes of a file, or of all files below a folder."""
    path = Path(path)
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


class Hnswlib:
    """The graph over full float32 vectors that everybody compares with."""

    package, batch = "hnswlib", True
    how = f"M={M}, efConstruction={EF_CONSTRUCTION}, float32; compiled here with -march=native; knn_query over all queries, num_threads=1"

    def _empty(self, data):
        import hnswlib

        return hnswlib.Index(space="ip" if data.inner_product else "l2", dim=data.dim)

    def build(self, data, threads):
        self.index = self._empty(data)
        self.index.init_index(max_elements=data.rows, M=M, ef_construction=EF_CONSTRUCTION, random_seed=100)
        self.index.add_items(data.vectors(), num_threads=threads)

    def save(self, folder):
        self.index.save_index(str(folder / "index"))

    def load(self, folder, data):
        self.index = self._empty(data)
        self.index.load_index(str(folder / "index"))

    def set_ef(self, ef):
        self.index.set_ef(ef)

    def search(self, queries):
        return self.index.knn_query(queries, k=TOP, num_threads=1)[0]

    def bytes(self, data, folder):
        vectors = 4 * data.dim
        return size_of(folder / "index") / data.rows - vectors, vectors


class Svs:
    """Intel's Vamana over float16 vectors."""

    package, batch = "scalable-vs", True

    def __init__(self, degree):
        self.degree = degree
        self.how = f"Vamana R={degree}, window 200, alpha 1.2 (l2) or 0.95 (ip), float16; search over all queries, num_threads=1"

    def _distance(self, data):
        import svs

        return svs.DistanceType.MIP if data.inner_product else svs.DistanceType.L2

    def build(self, data, threads):
        import numpy
        import svs

        alpha = 0.95 if data.inner_product else 1.2
        parameters = svs.VamanaBuildParameters(alpha=alpha, graph_max_degree=self.degree, window_size=200)
        vectors = data.vectors().astype(numpy.float16)
        self.index = svs.Vamana.build(parameters, vectors, self._distance(data), num_threads=threads)

    def save(self, folder):
        self.index.save(str(folder / "config"), str(folder / "graph"), str(folder / "data"))

    def load(self, folder, data):
        import svs

        vectors = svs.VectorDataLoader(str(folder / "data"), svs.DataType.float16, dims=data.dim)
        graph = svs.GraphLoader(str(folder / "graph"))
        self.index = svs.Vamana(
            str(folder / "config"), graph, vectors, self._distance(data), query_type=svs.DataType.float32, num_threads=1
        )

    def set_ef(self, ef):
        self.index.search_window_size = ef

    def search(self, queries):
        return self.index.search(queries, TOP)[0]

    def bytes(self, data, folder):
        return size_of(folder / "graph") / data.rows, size_of(folder / "data") / data.rows


class FaissHnswSq8:
    """A graph over 8-bit codes, without full vectors: its recall ends where the codes' does."""

    package, batch = "faiss-cpu", True
    how = f"IndexHNSWSQ QT_8bit, M={M}, efConstruction={EF_CONSTRUCTION}, no re-ranking; search over all queries, one OpenMP thread"

    def build(self, data, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        metric = faiss.METRIC_INNER_PRODUCT if data.inner_product else faiss.METRIC_L2
        self.index = faiss.IndexHNSWSQ(data.dim, faiss.ScalarQuantizer.QT_8bit, M, metric)
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        vectors = data.vectors()
        self.index.train(vectors)
        self.index.add(vectors)

    def save(self, folder):
        import faiss

        faiss.write_index(self.index, str(folder / "index"))

    def load(self, folder, data):
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(str(folder / "index"))

    def set_ef(self, ef):
        self.index.hnsw.efSearch = ef

    def search(self, queries):
        return self.index.search(queries, TOP)[1]

    def bytes(self, data, folder):
        return size_of(folder / "index") / data.rows, 0


class Usearch:
    """usearch with its default connectivity and expansion, over float32 or its 8-bit numbers."""

    package, batch = "usearch", True

    def __init__(self, dtype):
        self.dtype = dtype
        self.how = f"default connectivity and expansion_add, {dtype}; search over all queries, threads=1"

    def _empty(self, data):
        from usearch.index import Index

        # Its 8-bit numbers are made from vectors of length 1, whatever the metric.
        inner = "cos" if self.dtype == "i8" else "ip"
        return Index(ndim=data.dim, metric=inner if data.inner_product else "l2sq", dtype=self.dtype)

    def build(self, data, threads):
        import numpy

        self.index = self._empty(data)
        self.index.add(numpy.arange(data.rows, dtype=numpy.uint64), data.vectors(), threads=threads)

    def save(self, folder):
        self.index.save(str(folder / "index"))

    def load(self, folder, data):
        self.index = self._empty(data)
        self.index.load(str(folder / "index"))

    def set_ef(self, ef):
        self.index.expansion_search = ef

    def search(self, queries):
        return self.index.search(queries, TOP, threads=1).keys.reshape(len(queries), -1)

    def bytes(self, data, folder):
        vectors = 4 * data.dim if self.dtype == "f32" else 0
        return size_of(folder / "index") / data.rows - vectors, vectors


class VsagHgraph:
    """VSAG's graph over 8-bit codes, with full vectors to re-rank by. Its Python package takes one query a call."""

    package, batch = "pyvsag", False
    degree = 2 * M
    how = f"hgraph sq8, max_degree={2 * M}, ef_construction={EF_CONSTRUCTION}, re-ranked by float32; one query a call, the cost of a call subtracted"

    def _parameters(self, data, threads):
        return json.dumps(
            {
                "dtype": "float32",
                "metric_type": "ip" if data.inner_product else "l2",
                "dim": data.dim,
                "index_param": {
                    "base_quantization_type": "sq8",
                    "use_reorder": True,
                    "precise_quantization_type": "fp32",
                    "max_degree": self.degree,
                    "ef_construction": EF_CONSTRUCTION,
                    "build_thread_count": threads,
                },
            }
        )

    def _empty(self, data, threads):
        import pyvsag

        pyvsag.set_logger_off()
        return pyvsag.Index("hgraph", self._parameters(data, threads))

    def _fill(self, data, vectors, threads):
        import numpy

        index = self._empty(data, threads)
        index.build(vectors.ravel(), numpy.arange(len(vectors), dtype=numpy.int64), len(vectors), data.dim)
        return index

    def build(self, data, threads):
        self.index = self._fill(data, data.vectors(), threads)

    def save(self, folder):
        self.index.save(str(folder / "index"))

    def load(self, folder, data):
        self.index = self._empty(data, 1)
        self.index.load(str(folder / "index"))
        # As many rows as an answer has: asking it costs a call and next to no search.
        self.tiny = self._fill(data, data.queries[:TOP], 1)

    def set_ef(self, ef):
        self.parameters = json.dumps({"hgraph": {"ef_search": ef}})

    def search(self, queries):
        return [self.index.knn_search(query, TOP, self.parameters)[0] for query in queries]

    def search_nothing(self, queries):
        """The calls of `search` without the search."""
        return [self.tiny.knn_search(query, TOP, self.parameters)[0] for query in queries]

    def bytes(self, data, folder):
        # Its file is made of large blocks, mostly empty for small sets: what a row takes in them is known.
        return data.dim + 4 * (self.degree + 1), 4 * data.dim


SYSTEMS = {
    "hnswlib": Hnswlib(),
    "svs-r32": Svs(32),
    "svs-r64": Svs(64),
    "faiss-hnsw-sq8": FaissHnswSq8(),
    "usearch-f32": Usearch("f32"),
    "usearch-i8": Usearch("i8"),
    "vsag-hgraph-sq8": VsagHgraph(),
}
