#!/usr/bin/env python3
"""The server under load over HTTP, measured, beside the disk in the same run.

benches/server.py VECTRA DATA_DIR WORK_DIR [ROUNDS]   (DATA_DIR has vectors.npy, queries.npy, truth.npy; WORK_DIR is made and left to
the caller; http-load and disk-floor have to lie beside VECTRA; 3 rounds unless told otherwise)
Prints JSON lines: every measurement, then medians. Needs numpy. The load shares the processors with the server: use a quiet machine.
"""
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import numpy

VECTRA, DATA, WORK = (os.path.abspath(path) for path in sys.argv[1:4])
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 3
BESIDE = os.path.dirname(VECTRA)
SECONDS = "5"
figures = {}


def say(name, **row):
    print(json.dumps({"name": name, **row}), flush=True)


def ask(url, method, path, body=None):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(), method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["result"]


class Server:
    """A server over the data of the work directory, ready when made."""

    def __init__(self):
        began = time.monotonic()
        self.process = subprocess.Popen(
            [VECTRA, "serve", "--listen", "127.0.0.1:0", "--data-dir", f"{WORK}/data"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("listening on "):
                self.url = line.split()[-1]
                break
        self.ready_s = time.monotonic() - began
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()

    def info(self):
        line = subprocess.run([VECTRA, "--url", self.url, "collections", "info", "d", "--json"], capture_output=True, text=True, check=True)
        return json.loads(line.stdout.splitlines()[-1])


def write_bodies():
    vectors = numpy.load(f"{DATA}/vectors.npy").astype(numpy.float32)
    queries = numpy.load(f"{DATA}/queries.npy").astype(numpy.float32)

    def short(vector):
        return [round(float(number), 7) for number in vector]

    def point(number, vector):
        return {"id": number, "vector": short(vector), "payload": {"n": number}}

    with open(f"{WORK}/batches", "w") as file:
        for first in range(0, len(vectors) - 99, 100):
            points = [point(first + at, vectors[first + at]) for at in range(100)]
            file.write(json.dumps({"points": points}) + "\n")
    with open(f"{WORK}/singles", "w") as file:
        for number in range(2_000):
            file.write(json.dumps({"points": [point(number, vectors[number])]}) + "\n")
    with open(f"{WORK}/queries", "w") as file:
        for query in queries[:1000]:
            # As the Python client says it.
            file.write(json.dumps({"query": {"nearest": short(query)}, "limit": 10}) + "\n")
    return vectors.shape[1], queries


def load(name, server, method, path, bodies, connections, seconds=SECONDS, points=None, pace=None):
    words = [f"{BESIDE}/http-load", server.url, method, path, f"{WORK}/{bodies}", *(["--per-second", str(pace)] if pace else [])]
    line = subprocess.run([*words, "--connections", str(connections), "--seconds", seconds, "--json"], capture_output=True, text=True, check=True)
    row = json.loads(line.stdout)
    del row["name"]
    if points:
        row["points_per_s"] = round(row["per_s"] * points)
    say(name, **row)
    for key in ("per_s", "points_per_s", "p50_ms", "p99_ms"):
        if key in row:
            figures.setdefault(name, {}).setdefault(key, []).append(row[key])
    return row


def recall(server, queries):
    truth, hits, count = numpy.load(f"{DATA}/truth.npy"), 0, 300
    for query, nearest in zip(queries[:count], truth):
        found = ask(server.url, "POST", "/collections/d/points/query", {"query": query.tolist(), "limit": 10})
        hits += len({point["id"] for point in found["points"]} & set(nearest[:10].tolist()))
    say("recall_at_10", queries=count, recall=hits / (10 * count))


@contextlib.contextmanager
def busy(server, pace=None):
    """Keeps a writer of batches, an archive and backups going: as fast as they can, or so many batches and one backup a second."""
    stop, made = threading.Event(), []
    name = f"upsert_{pace * 100}_points_per_s_beside_queries" if pace else "upsert_beside_queries"

    def write():
        while not stop.is_set():
            load(name, server, "PUT", "/collections/d/points?wait=true", "batches", 1, "2", points=100, pace=pace)

    def back_up():
        while not stop.is_set():
            made.append(subprocess.run([VECTRA, "--url", server.url, "collections", "backup", "d", "--destination", f"{WORK}/backups",
                                        "--snapshot-id", f"b{time.monotonic_ns()}", "--wait", "--quiet"], check=True, capture_output=True))
            stop.wait(1 if pace else 0)

    threads = [threading.Thread(target=work) for work in (write, back_up)]
    for thread in threads:
        thread.start()
    yield made
    stop.set()
    for thread in threads:
        thread.join()


def main_round(dim, queries, metric):
    shutil.rmtree(f"{WORK}/data", ignore_errors=True)
    shutil.rmtree(f"{WORK}/backups", ignore_errors=True)
    shutil.rmtree(f"{WORK}/archive", ignore_errors=True)
    floor = subprocess.run([f"{BESIDE}/disk-floor", WORK, "2048", "300"], capture_output=True, text=True, check=True)
    for line in floor.stdout.splitlines():
        row = json.loads(line)
        say(row.pop("name"), **row)
        figures.setdefault(f"disk_floor_zeroed_{row['zeroed']}", {}).setdefault("syncs_per_s", []).append(row["syncs_per_s"])
    server = Server()
    ask(server.url, "PUT", "/collections/d", {"vectors": {"size": dim, "distance": metric}})
    load("upsert_100_durable_4_connections", server, "PUT", "/collections/d/points?wait=true", "batches", 4, points=100)
    server.end(signal.SIGKILL)
    server = Server()
    say("ready_after_kill", seconds=round(server.ready_s, 3), tail_points=server.info()["tail_points"], log_bytes=server.info()["bytes"]["log"])
    subprocess.run([VECTRA, "--url", server.url, "collections", "optimize", "d", "--quiet"], check=True, capture_output=True)
    recall(server, queries)
    for connections in (8, 1):
        load(f"query_{connections}_connections", server, "POST", "/collections/d/points/query", "queries", connections)
    subprocess.run([VECTRA, "--url", server.url, "archive", "enable", "d", "--to", f"{WORK}/archive", "--quiet"], check=True, capture_output=True)
    for pace in (2, 10, None):
        name = f"query_1_connection_beside_{pace * 100}_points_per_s" if pace else "query_1_connection_while_busy"
        with busy(server, pace) as made:
            load(name, server, "POST", "/collections/d/points/query", "queries", 1, "10")
        say("backups_meanwhile", of=name, count=len(made))
    for connections in (1, 4, 8):
        load(f"single_durable_upserts_{connections}_connections", server, "PUT", "/collections/d/points?wait=true", "singles", connections)
    server.end()


def main():
    os.makedirs(WORK, exist_ok=True)
    commit = subprocess.run(["git", "log", "-1", "--format=%h"], capture_output=True, text=True, cwd=os.path.dirname(os.path.abspath(__file__)))
    cpu = next(line for line in open("/proc/cpuinfo") if line.startswith("model name")).split(":")[1].strip()
    say("run", command="benches/server.py", commit=commit.stdout.strip(), date=time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()))
    dim, queries = write_bodies()
    with open(f"{DATA}/metric") as file:
        metric = {"cos": "Cosine", "ip": "Dot", "l2": "Euclid"}[file.read().strip()]
    say("machine", cpu=cpu, cores=os.cpu_count(), dim=dim, metric=metric)
    for _ in range(ROUNDS):
        main_round(dim, queries, metric)
    for name, keys in figures.items():
        say("median", of=name, **{key: statistics.median(values) for key, values in keys.items()})


main()
