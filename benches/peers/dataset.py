"""The data of a run: a folder with vectors.npy, queries.npy, truth.npy and `metric` (ip, l2 or cos)."""

import hashlib
import sys
from pathlib import Path

import numpy
from systems import TOP

METRICS = ("ip", "l2", "cos")


class Dataset:
    """Opens a folder. Vectors stay in the file until `vectors()` asks for them: a search does not need them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self.metric = (self.folder / "metric").read_text(encoding="ascii").strip()
        if self.metric not in METRICS:
            sys.exit(f"{self.name}/metric: expected one of {METRICS}, got {self.metric!r}")
        self._stored = numpy.load(self.folder / "vectors.npy", mmap_mode="r")
        self.rows, self.dim = self._stored.shape
        self.queries = self._for_metric(numpy.load(self.folder / "queries.npy"))
        self.truth = numpy.load(self.folder / "truth.npy")[:, :TOP]
        if self.queries.shape[1] != self.dim or len(self.truth) != len(self.queries) or self.truth.shape[1] != TOP:
            sys.exit(f"{self.name}: vectors, queries and truth do not fit each other")

    @property
    def inner_product(self):
        """True when nearer means a larger inner product: cosine is that too, once the vectors have length 1."""
        return self.metric != "l2"

    @property
    def stored_bytes(self):
        """Bytes of a vector as it lies in the file."""
        return self.dim * self._stored.dtype.itemsize

    def vectors(self):
        """All vectors, float32, normalised when the metric is cosine."""
        return self._for_metric(self._stored)

    def _for_metric(self, array):
        array = numpy.ascontiguousarray(array, dtype=numpy.float32)
        if self.metric == "cos":
            lengths = numpy.linalg.norm(array, axis=1, keepdims=True)
            array = array / numpy.where(lengths > 0, lengths, 1)
        return array

    def recall(self, ids):
        """The mean share of the true TOP nearest rows among the first TOP ids of each answer."""
        hits = sum(len(set(map(int, found[:TOP])) & set(map(int, true))) for found, true in zip(ids, self.truth))
        return hits / self.truth.size

    def fingerprint(self):
        """A short hash of what an index depends on: metric, shape, and both ends of the file."""
        path = self.folder / "vectors.npy"
        state = hashlib.blake2b(f"{self.metric} {self._stored.shape} {self._stored.dtype}".encode(), digest_size=6)
        with open(path, "rb") as file:
            state.update(file.read(1 << 20))
            file.seek(-min(1 << 20, path.stat().st_size), 2)
            state.update(file.read())
        return state.hexdigest()
