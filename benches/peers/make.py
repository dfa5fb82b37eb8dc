"""Makes a set of generated vectors that is about as hard as embeddings are: `run.sh make OUT_DIR ROWS DIM [options]`.

A mixture in few latent dimensions goes through a random network with tanh, and noise is added in all dimensions: the
neighbourhoods are those of the latent space. Writes vectors.npy, queries.npy (float32), truth.npy (the 100 nearest
rows, exact) and metric. The same arguments give the same vectors.
"""

import argparse
from pathlib import Path

import numpy

CHUNK = 20_000
NEAREST = 100


class Source:
    """The mixture and the network, which base and queries share."""

    def __init__(self, args):
        random = numpy.random.default_rng(args.seed)
        normal = lambda *shape: random.standard_normal(shape, dtype=numpy.float32)
        self.latent, self.noise = args.latent, args.noise
        self.centres = normal(args.clusters, args.latent)
        scales = numpy.exp(0.5 * normal(args.clusters, args.latent))
        self.scales = scales * (args.spread / scales.mean())
        weights = random.pareto(1.5, args.clusters) + 0.2
        self.weights = weights / weights.sum()
        hidden = 2 * args.dim
        self.inner = 1.3 * normal(args.latent, hidden) / numpy.sqrt(args.latent)
        self.bias = 0.5 * normal(hidden)
        self.outer = normal(hidden, args.dim) / numpy.sqrt(hidden)

    def draw(self, count, random):
        cluster = random.choice(len(self.centres), count, p=self.weights)
        spot = self.centres[cluster] + self.scales[cluster] * random.standard_normal((count, self.latent), dtype=numpy.float32)
        found = numpy.tanh(spot @ self.inner + self.bias) @ self.outer
        return (found + self.noise * random.standard_normal(found.shape, dtype=numpy.float32)).astype(numpy.float32)


def nearest(vectors, queries, metric):
    """The NEAREST rows of each query, nearest first, by comparing all."""
    if metric == "cos":
        vectors = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
    scores = queries @ vectors.T
    if metric == "l2":
        scores -= 0.5 * (vectors * vectors).sum(1)
    some = numpy.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]
    order = numpy.argsort(-numpy.take_along_axis(scores, some, 1), axis=1, kind="stable")
    return numpy.take_along_axis(some, order, 1).astype(numpy.int32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("rows", type=int, help=f"more than {NEAREST}")
    parser.add_argument("dim", type=int)
    parser.add_argument("--metric", choices=["cos", "l2", "ip"], default="cos")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--latent", type=int, default=32)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--spread", type=float, default=1.3)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    if args.rows <= NEAREST:
        parser.error(f"rows: more than {NEAREST}")
    source, random = Source(args), numpy.random.default_rng(args.seed + 1)
    vectors = numpy.empty((args.rows, args.dim), numpy.float32)
    for start in range(0, args.rows, CHUNK):
        vectors[start : start + CHUNK] = source.draw(min(CHUNK, args.rows - start), random)
    queries = source.draw(args.queries, numpy.random.default_rng(args.seed + 2))
    truth = numpy.concatenate([nearest(vectors, queries[at : at + 100], args.metric) for at in range(0, len(queries), 100)])
    args.out_dir.mkdir(parents=True, exist_ok=True)
    numpy.save(args.out_dir / "vectors.npy", vectors)
    numpy.save(args.out_dir / "queries.npy", queries)
    numpy.save(args.out_dir / "truth.npy", truth)
    (args.out_dir / "metric").write_text(args.metric + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
