"""One peer in a process of its own: `peer.py build|search SYSTEM DATA FOLDER ...`; prints JSON lines. run.py calls it.

build saves the index below FOLDER with what it took; search loads it and measures every number of candidates, one
thread, all queries of the set again and again until --seconds have passed.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy
from dataset import Dataset
from systems import SYSTEMS, TOP

# Beyond this recall, more candidates say nothing new.
RECALL_ENOUGH = 0.998


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(work):
    """Runs `work`; gives its seconds and the process's CPU-seconds."""
    began, cpu_began = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - began, cpu_seconds() - cpu_began


def build(system, data, folder, threads):
    """Builds and saves; what it took and holds goes to built.json, last, so that its presence says all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    # Read beforehand: what is timed is the index, not the disk.
    vectors = data.vectors()
    data.vectors = lambda: vectors
    seconds, cpu = timed(lambda: system.build(data, threads))
    system.save(folder)
    index, full = system.bytes(data, folder)
    built = {
        "build_s": round(seconds, 3),
        "build_cpu_s": round(cpu, 3),
        "build_threads": threads,
        "bytes_per_vec": round(index, 1),
        "vector_bytes": full,
        "version": version(system.package),
    }
    (folder / "built.json").write_text(json.dumps(built), encoding="utf-8")


def repeat(call, queries, seconds):
    """Calls over all queries until `seconds` passed; gives seconds and CPU-seconds for a query."""
    passes, began, cpu_began = 0, time.perf_counter(), cpu_seconds()
    while True:
        call(queries)
        passes += 1
        took = time.perf_counter() - began
        if took >= seconds:
            return took / (passes * len(queries)), (cpu_seconds() - cpu_began) / (passes * len(queries))


def latencies(system, queries, seconds=0.0):
    """Microseconds of each query, asked alone: all of them once, and again until `seconds` have passed."""
    found, stop = [], time.perf_counter() + seconds
    while not found or time.perf_counter() < stop:
        for at in range(len(queries)):
            one = queries[at : at + 1]
            began = time.perf_counter_ns()
            system.search(one)
            found.append((time.perf_counter_ns() - began) / 1000)
    return numpy.array(found)


def call_cost(system, data, seconds):
    """Microseconds that a call from Python costs beyond its search: it is not counted against a peer.

    Seen from a batch, what asking one by one takes longer; without batches, what a search of next to no rows takes.
    The median of several looks at the smallest effort, where a search hides it least.
    """
    system.set_ef(TOP)
    system.search(data.queries)
    looks = []
    for _ in range(5):
        if system.batch:
            together = repeat(system.search, data.queries, seconds / 20)[0] * 1e6
            looks.append(float(numpy.median(latencies(system, data.queries))) - together)
        else:
            looks.append(repeat(system.search_nothing, data.queries, seconds / 20)[0] * 1e6)
    return max(0.0, float(numpy.median(looks)))


def measure(system, data, ef, seconds, call):
    """One line: the first pass warms up and gives the recall."""
    system.set_ef(ef)
    recall = data.recall(system.search(data.queries))
    each, each_cpu = repeat(system.search, data.queries, seconds)
    if not system.batch:
        each, each_cpu = each - call / 1e6, each_cpu - call / 1e6
    alone = numpy.maximum(latencies(system, data.queries, seconds / 2) - call, 0)
    return {
        "ef": ef,
        "recall": round(recall, 5),
        "qps": round(1 / each, 1),
        "qps_cpu": round(1 / each_cpu, 1),
        "p50_us": round(float(numpy.percentile(alone, 50)), 1),
        "p99_us": round(float(numpy.percentile(alone, 99)), 1),
        "call_us": round(call, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["build", "search"])
    parser.add_argument("system", choices=list(SYSTEMS))
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ef", default="10")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    system, data = SYSTEMS[args.system], Dataset(args.data)
    # Packages that print do so on file descriptor 1: it carries the results, so they get the other one.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        if args.step == "build":
            build(system, data, args.folder, args.threads)
            return
        system.load(args.folder, data)
        call = call_cost(system, data, args.seconds)
        for ef in map(int, args.ef.split(",")):
            line = measure(system, data, ef, args.seconds, call)
            print(json.dumps(line), file=results, flush=True)
            if line["recall"] >= RECALL_ENOUGH:
                break


if __name__ == "__main__":
    main()
