"""What the rows of a run say: medians over the rounds, speed at a given recall, and the tables in Markdown.

Run alone, it writes the table of rows that are there: `table.py ROWS.jsonl > TABLE.md`.
"""

import json
import math
import statistics
import sys

TARGETS = (0.90, 0.95, 0.99)
BASELINE = "hnswlib"
# The share of the time that a search has to run in the median, or its wall-clock figures mean little.
QUIET = 0.95
MEASURES = ("recall", "qps", "qps_cpu", "p50_us", "p99_us")
BUILD_MEASURES = ("build_s", "build_cpu_s", "bytes_per_vec", "vector_bytes")


def medians(rows):
    """{system: {ef: {measure: median over the rounds, "spread": (max - min) / median of qps}}}, in order of appearance."""
    found = {}
    for row in rows:
        found.setdefault(row["name"], {}).setdefault(row["ef"], []).append(row)
    return {name: {ef: median_of(found[name][ef]) for ef in sorted(found[name])} for name in found}


def median_of(rows):
    point = {measure: statistics.median(row[measure] for row in rows) for measure in MEASURES}
    speeds = [row["qps"] for row in rows]
    point["spread"] = (max(speeds) - min(speeds)) / point["qps"]
    return point


def frontier(points, measure):
    """(recall, speed) of the points that no other beats in both, recall rising."""
    best = []
    for recall, speed in sorted(((point["recall"], point[measure]) for point in points), key=lambda pair: (-pair[0], -pair[1])):
        if not best or speed > best[-1][1]:
            best.append((recall, speed))
    return best[::-1]


def speed_at(points, target, measure="qps"):
    """Speed at a recall: (queries a second, is it a lower bound), or None where the recall is not reached.

    Between two measured points the logarithm of the speed is taken as linear in the recall. When every point is
    above the target, the fastest stands for it, and it could be faster still.
    """
    line = frontier(points, measure)
    if not line or line[-1][0] < target:
        return None
    if line[0][0] >= target:
        return line[0][1], line[0][0] > target
    for (low, fast), (high, slow) in zip(line, line[1:]):
        if low < target <= high:
            share = (target - low) / (high - low)
            return math.exp(math.log(fast) + share * (math.log(slow) - math.log(fast))), False
    raise AssertionError("a frontier has no gaps")


def shown(speed):
    return "not reached" if speed is None else f"{'>= ' if speed[1] else ''}{speed[0]:,.0f}"


def ratio(speed, baseline):
    if speed is None or baseline is None:
        return ""
    # A lower bound over a lower bound bounds nothing.
    mark = {(False, False): "", (True, False): ">= ", (False, True): "<= ", (True, True): "~"}[speed[1], baseline[1]]
    return f"{mark}{speed[0] / baseline[0]:.2f}x"


def row_of(cells):
    return "| " + " | ".join(cells) + " |"


def table(heads, rows):
    return [row_of(heads), row_of(["---"] + ["---:"] * (len(heads) - 1)), *map(row_of, rows), ""]


def at_targets(by_system, measure):
    """The table of speeds at the targets, with ratios to the baseline."""
    base = by_system.get(BASELINE, {})
    base_speeds = [speed_at(base.values(), target, measure) for target in TARGETS]
    rows = []
    for name, points in by_system.items():
        speeds = [speed_at(points.values(), target, measure) for target in TARGETS]
        ratios = [ratio(speed, other) for speed, other in zip(speeds, base_speeds)]
        rows.append([name, *map(shown, speeds), *ratios])
    return table(["system", *(f"at {t:.2f}" for t in TARGETS), *(f"ratio {t:.2f}" for t in TARGETS)], rows)


def builds_table(builds):
    found = {}
    for build in builds:
        found.setdefault(build["name"], []).append(build)
    rows = []
    for name, of_system in found.items():
        middle = {measure: statistics.median(build[measure] for build in of_system) for measure in BUILD_MEASURES}
        rows.append([name, f"{middle['build_s']:.1f}", f"{middle['build_cpu_s']:.1f}", f"{middle['bytes_per_vec']:.0f}", f"{middle['vector_bytes']:.0f}"])
    return table(["system", "build s", "CPU-s", "index B/vector", "full vectors B/vector"], rows)


def all_points(by_system):
    rows = []
    for name, points in by_system.items():
        for ef, p in points.items():
            cells = [f"{p['recall']:.4f}", f"{p['qps']:,.0f}", f"{p['qps_cpu']:,.0f}", f"{p['p50_us']:.0f}", f"{p['p99_us']:.0f}"]
            rows.append([name, str(ef), *cells, f"{100 * p['spread']:.0f}%"])
    return table(["system", "ef", "recall@10", "QPS", "QPS/CPU-s", "p50 us", "p99 us", "spread"], rows)


def disturbed(by_system):
    """A sentence where searches waited for the processor: one thread on a quiet machine uses all of its time."""
    shares = [point["qps"] / point["qps_cpu"] for points in by_system.values() for point in points.values()]
    if not shares or statistics.median(shares) >= QUIET:
        return []
    return [f"**The machine was not quiet**: searches ran {statistics.median(shares):.0%} of their time. Trust only what is given for a CPU-second.", ""]


def markdown(lines):
    """The whole page of a run's lines."""
    head = lines[0]
    kinds = {kind: [line for line in lines if line.get("kind") == kind] for kind in ("build", "search", "failed")}
    by_system = medians(kinds["search"])
    page = [
        f"# Against peers: {head['data']}",
        "",
        f"{head['rows']:,} vectors of {head['dim']} dimensions, {head['metric']}, {head['queries']} queries, recall@10. "
        f"{head['cpu']}, {head['cores']} cores, {head['memory_gib']} GiB; {head['date']}, commit {head['commit']}; "
        f"medians of {head['rounds']} rounds, systems in turn within a round; searches on one core, builds on {head['build_threads']} threads.",
        "",
        *disturbed(by_system),
        "## Queries a second at a recall",
        "",
        f"Interpolated between measured points; `>=`: the smallest effort is above that recall already. Ratios to {BASELINE}.",
        "",
        *at_targets(by_system, "qps"),
        "The same for a CPU-second of the process:",
        "",
        *at_targets(by_system, "qps_cpu"),
        "## Building and memory",
        "",
        *builds_table(kinds["build"]),
        "## Every point",
        "",
        "Spread: slowest to fastest round. p50 and p99: queries asked one by one, without what a call from Python costs.",
        "",
        *all_points(by_system),
    ]
    if kinds["failed"]:
        page += ["## What did not run", "", *(f"- {line['name']} ({line['step']}): {line['error']}" for line in kinds["failed"]), ""]
    page += ["## How each was run", "", *(f"- **{name}** {how}" for name, how in head["systems"].items())]
    return "\n".join(page) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(markdown([json.loads(line) for line in file]))
