"""Compares the server with the Python client's own local mode: the same calls against both, the same answers.

python differential.py URL [--seed S] [--rounds N] [--steps N] [--write FILE | --against FILE]
A difference prints the call, both answers, and the command that replays it. --write keeps the server's answers; --against compares with
answers that were kept instead of the local mode: an older client's local mode is no oracle, and it has to get what the newest gets.
"""

import argparse
import datetime
import json
import math
import random
import sys
import uuid

from qdrant_client import QdrantClient, models as m

WORDS = ["red", "green", "blue", "dark blue", "light red", "Green"]
DIM = 8
LEFT_OUT = ("version", "shard_key", "operation_id")


class Difference(Exception):
    pass


def plain(value):
    """Answers without what is allowed to differ."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None and key not in LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (uuid.UUID, datetime.datetime)):
        return str(value)
    if hasattr(value, "value") and not isinstance(value, (int, float, str)):
        return value.value
    return value


def close(one, other, tolerance=1e-4):
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == other


def same_points(one, other):
    """Nearest points: the same scores in the same order, and the same points; of equally near ones at the end, any."""
    if not close([point["score"] for point in one], [point["score"] for point in other]):
        return False
    known = {str(point["id"]): point for point in one}
    last = one[-1]["score"] if one else 0
    return all(close(known[str(point["id"])], point) if str(point["id"]) in known else close(point["score"], last) for point in other)


def through_json(answer):
    """Answers as they are kept in a file."""
    return json.loads(json.dumps(answer))


class Both:
    """The server and the oracle: the local mode, or answers that were kept."""

    def __init__(self, url, log, kept):
        self.remote = QdrantClient(url=url, timeout=30)
        self.local = QdrantClient(":memory:")
        self.log = log
        self.kept = kept
        self.answers = []

    def ask(self, client, method, args, kwargs, shape):
        try:
            return {"answer": shape(plain(getattr(client, method)(*args, **kwargs)))}
        except Exception as error:  # whatever kind: both have to refuse
            return {"error": str(error)}

    def call(self, method, *args, compare=close, shape=lambda answer: answer, **kwargs):
        self.log.append(f"{method}{args} {kwargs}")
        remote = through_json(self.ask(self.remote, method, args, kwargs, shape))
        oracle = self.kept[len(self.answers)] if self.kept else through_json(self.ask(self.local, method, args, kwargs, shape))
        self.answers.append(remote)
        if remote.keys() != oracle.keys() or "answer" in remote and not compare(oracle["answer"], remote["answer"]):
            raise Difference(f"{self.log[-1]}\n  oracle: {oracle}\n  server: {remote}")
        return remote.get("answer")


class Run:
    def __init__(self, url, seed, kept):
        self.random = random.Random(seed)
        self.log = []
        self.both = Both(url, self.log, kept)
        self.name = f"differential_{seed}"
        self.named = self.random.random() < 0.4
        self.distance = self.random.choice(list(m.Distance))

    def vector(self):
        return [round(self.random.uniform(-1, 1), 3) for _ in range(DIM)]

    def id(self):
        number = self.random.randrange(60)
        return str(uuid.UUID(int=number)) if number % 5 == 0 else number

    def ids(self, most=6):
        return list({self.id(): None for _ in range(self.random.randrange(1, most))})

    def payload(self):
        r = self.random
        made = {}
        if r.random() < 0.8:
            made["color"] = r.choice(WORDS)
        if r.random() < 0.7:
            made["count"] = r.randrange(-5, 20)
        if r.random() < 0.6:
            made["price"] = round(r.uniform(0, 10), 2)
        if r.random() < 0.5:
            made["tags"] = [r.choice(WORDS) for _ in range(r.randrange(4))]
        if r.random() < 0.4:
            made["nested"] = {"flag": r.random() < 0.5, "deep": {"n": r.randrange(5)}}
        if r.random() < 0.4:
            made["places"] = [{"name": r.choice(WORDS), "n": r.randrange(4)} for _ in range(r.randrange(3))]
        if r.random() < 0.4:
            made["at"] = {"lon": round(r.uniform(-180, 180), 3), "lat": round(r.uniform(-90, 90), 3)}
        if r.random() < 0.4:
            made["when"] = f"20{r.randrange(20, 27)}-0{r.randrange(1, 10)}-1{r.randrange(10)}T0{r.randrange(10)}:00:00Z"
        if r.random() < 0.1:
            made["none"] = None
        return made

    def condition(self, depth):
        r = self.random
        made = [
            lambda: m.FieldCondition(key="color", match=m.MatchValue(value=r.choice(WORDS))),
            lambda: m.FieldCondition(key="count", match=m.MatchValue(value=r.randrange(-5, 20))),
            lambda: m.FieldCondition(key="nested.flag", match=m.MatchValue(value=r.random() < 0.5)),
            lambda: m.FieldCondition(key=r.choice(["color", "tags", "tags[]"]), match=m.MatchAny(any=r.sample(WORDS, 2))),
            lambda: m.FieldCondition(key="color", match=m.MatchExcept(**{"except": r.sample(WORDS, 2)})),
            lambda: m.FieldCondition(key=r.choice(["count", "price", "nested.deep.n", "places[].n"]), range=m.Range(gte=r.randrange(5), lt=r.randrange(5, 12))),
            lambda: m.FieldCondition(key="when", range=m.DatetimeRange(gt=datetime.datetime(2022, 3, 1), lte=datetime.datetime(2025, 1, 1))),
            lambda: m.FieldCondition(key="tags", values_count=m.ValuesCount(gte=r.randrange(3))),
            lambda: m.FieldCondition(key="at", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=10, lat=20), radius=r.uniform(1e5, 9e6))),
            lambda: m.FieldCondition(key="at", geo_bounding_box=m.GeoBoundingBox(top_left=m.GeoPoint(lon=-100, lat=60), bottom_right=m.GeoPoint(lon=80, lat=-40))),
            lambda: m.IsEmptyCondition(is_empty=m.PayloadField(key=r.choice(["tags", "color", "none", "missing"]))),
            lambda: m.IsNullCondition(is_null=m.PayloadField(key=r.choice(["none", "color"]))),
            lambda: m.HasIdCondition(has_id=self.ids(20)),
            lambda: m.NestedCondition(nested=m.Nested(key="places", filter=m.Filter(must=[
                m.FieldCondition(key="name", match=m.MatchValue(value=r.choice(WORDS))),
                m.FieldCondition(key="n", range=m.Range(gte=1))]))),
        ]
        if self.named:
            made.append(lambda: m.HasVectorCondition(has_vector=r.choice(["a", "b"])))
        if depth > 0:
            made.append(lambda: self.filter(depth - 1))
        return r.choice(made)()

    def filter(self, depth=2):
        r = self.random
        some = lambda: [self.condition(depth) for _ in range(r.randrange(1, 3))]
        made = {kind: some() for kind in ("must", "should", "must_not") if r.random() < 0.45}
        if r.random() < 0.15:
            made["min_should"] = m.MinShould(conditions=some() + some(), min_count=r.randrange(1, 3))
        return m.Filter(**made)

    def point(self):
        vector = {name: self.vector() for name in ("a", "b") if self.random.random() < 0.8} if self.named else self.vector()
        return m.PointStruct(id=self.id(), vector=vector, payload=self.payload())

    def using(self):
        return {"using": self.random.choice(["a", "b"])} if self.named else {}

    def selector(self):
        """Points that exist, or a filter: for points that do not, see the server's own tests."""
        ids = [point["id"] for point in self.both.call("retrieve", self.name, ids=self.ids(), with_payload=False, compare=by_id)]
        return ids if ids and self.random.random() < 0.6 else m.FilterSelector(filter=self.filter())

    def shown(self):
        r = self.random
        payload = r.choice([True, False, ["color", "nested.flag"], m.PayloadSelectorInclude(include=["places[].name"]), m.PayloadSelectorExclude(exclude=["tags", "nested.deep"])])
        return {"with_payload": payload, "with_vectors": r.random() < 0.3}

    def create(self):
        params = m.VectorParams(size=DIM, distance=self.distance)
        vectors = {"a": params, "b": m.VectorParams(size=DIM, distance=m.Distance.EUCLID)} if self.named else params
        self.both.remote.delete_collection(self.name)
        self.both.call("create_collection", self.name, vectors_config=vectors)

    def upsert(self):
        points = [self.point() for _ in range(self.random.randrange(1, 12))]
        self.both.call("upsert", self.name, points=points, shape=written)

    def upsert_batch(self):
        if self.named:
            return self.upsert()
        ids = self.ids(8)
        batch = m.Batch(ids=ids, vectors=[self.vector() for _ in ids], payloads=[self.payload() for _ in ids])
        return self.both.call("upsert", self.name, points=batch, shape=written)

    def delete(self):
        selector = self.selector() if self.random.random() < 0.3 else m.PointIdsList(points=self.ids())
        self.both.call("delete", self.name, points_selector=selector, shape=written)

    def payload_change(self):
        r = self.random
        change = r.choice([
            lambda on: ("set_payload", {"payload": self.payload(), "points": on}),
            lambda on: ("set_payload", {"payload": {"extra": r.randrange(9)}, "points": on, "key": "nested"}),
            lambda on: ("overwrite_payload", {"payload": self.payload(), "points": on}),
            lambda on: ("delete_payload", {"keys": r.sample(["color", "tags", "nested.flag", "count"], 2), "points": on}),
            lambda on: ("clear_payload", {"points_selector": on}),
        ])
        method, arguments = change(self.selector())
        self.both.call(method, self.name, shape=written, **arguments)

    def vector_change(self):
        found = self.both.call("retrieve", self.name, ids=self.ids(), with_payload=False, compare=by_id)
        if not found:
            return
        if self.named and self.random.random() < 0.4:
            self.both.call("delete_vectors", self.name, vectors=[self.random.choice("ab")], points=[p["id"] for p in found], shape=written)
            return
        vectors = [m.PointVectors(id=p["id"], vector={"a": self.vector()} if self.named else self.vector()) for p in found]
        self.both.call("update_vectors", self.name, points=vectors, shape=written)

    def read(self):
        r = self.random
        self.both.call("count", self.name, count_filter=self.filter() if r.random() < 0.7 else None)
        self.both.call("retrieve", self.name, ids=self.ids(), compare=by_id, **self.shown())
        offset = self.id() if r.random() < 0.3 else None
        if not isinstance(offset, str):
            self.both.call("scroll", self.name, scroll_filter=self.filter() if r.random() < 0.6 else None, limit=r.randrange(1, 30), offset=offset, **self.shown())

    def ordered(self):
        r = self.random
        key = r.choice(["count", "price", "when"])
        start = {"count": 3, "price": 4.5, "when": datetime.datetime(2023, 5, 1)}[key] if r.random() < 0.4 else None
        order = m.OrderBy(key=key, direction=r.choice(list(m.Direction)), start_from=start)
        compare = lambda one, other: close([p["order_value"] for p in one[0]], [p["order_value"] for p in other[0]])
        self.both.call("scroll", self.name, order_by=order, limit=r.randrange(1, 30), scroll_filter=self.filter(1), compare=compare)

    def query(self):
        r = self.random
        target = self.vector() if r.random() < 0.8 else self.id()
        threshold = {"score_threshold": r.uniform(0, 1.5)} if r.random() < 0.2 else {}
        offset = r.choice([None, None, 3])
        self.both.call("query_points", self.name, query=target, query_filter=self.filter() if r.random() < 0.6 else None, limit=r.randrange(1, 20),
                       offset=offset, compare=same_points, shape=lambda answer: answer["points"], **self.using(), **self.shown(), **threshold)

    def query_batch(self):
        requests = [m.QueryRequest(query=self.vector(), filter=self.filter(1), limit=5, with_payload=True, **self.using()) for _ in range(3)]
        compare = lambda one, other: len(one) == len(other) and all(map(same_points, one, other))
        self.both.call("query_batch_points", self.name, requests=requests, compare=compare, shape=lambda answers: [a["points"] for a in answers])

    def groups(self):
        compare = lambda one, other: close([[g["id"], [p["score"] for p in g["hits"]]] for g in one], [[g["id"], [p["score"] for p in g["hits"]]] for g in other])
        self.both.call("query_points_groups", self.name, query=self.vector(), group_by=self.random.choice(["color", "count", "tags"]), limit=4, group_size=2,
                       compare=compare, shape=lambda answer: answer["groups"], **self.using())

    def facet(self):
        key = self.random.choice(["color", "count", "tags", "nested.flag"])
        ordered = lambda answer: sorted(((str(hit["value"]), hit["count"]) for hit in answer["hits"]))
        self.both.call("facet", self.name, key=key, limit=100, facet_filter=self.filter(1), shape=ordered)

    def batch(self):
        on = self.selector()
        on = {"points": on} if isinstance(on, list) else {"filter": on.filter}
        operations = [
            m.UpsertOperation(upsert=m.PointsList(points=[self.point() for _ in range(3)])),
            m.SetPayloadOperation(set_payload=m.SetPayload(payload={"batch": self.random.randrange(9)}, **on)),
            m.DeletePayloadOperation(delete_payload=m.DeletePayload(keys=["count"], **on)),
            m.DeleteOperation(delete=m.PointIdsList(points=self.ids())),
        ]
        self.both.call("batch_update_points", self.name, update_operations=operations, shape=lambda answers: len(answers))

    def run(self, steps):
        self.create()
        writes = [self.upsert, self.upsert_batch, self.upsert, self.delete, self.payload_change, self.vector_change, self.batch]
        reads = [self.read, self.query, self.query, self.query_batch, self.groups, self.facet, self.ordered]
        for _ in range(5):
            self.upsert()
        for step in range(steps):
            self.random.choice(writes)()
            self.random.choice(reads)()
        self.both.remote.delete_collection(self.name)


def by_id(one, other):
    """Retrieved points have no order of their own."""
    return close(sorted(one, key=lambda point: str(point["id"])), sorted(other, key=lambda point: str(point["id"])))


def written(answer):
    """A write says that it holds; how it is numbered is the server's own."""
    return answer["status"] in ("completed", "acknowledged")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--write")
    parser.add_argument("--against")
    args = parser.parse_args()
    kept = json.load(open(args.against)) if args.against else {}
    calls, answers = 0, {}
    for seed in range(args.seed, args.seed + args.rounds):
        run = Run(args.url, seed, kept.get(str(seed)))
        try:
            run.run(args.steps)
        except Difference as difference:
            print(f"the server and the client's local mode differ, in call {len(run.log)}:\n{difference}", file=sys.stderr)
            print(f"replay with: python differential.py {args.url} --seed {seed} --rounds 1 --steps {args.steps}", file=sys.stderr)
            return 1
        calls += len(run.log)
        answers[seed] = run.both.answers
    if args.write:
        json.dump(answers, open(args.write, "w"))
    print(f"{calls} calls of {args.rounds} seeds answered alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
