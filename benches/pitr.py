#!/usr/bin/env python3
"""Point-in-time recovery, measured: archiving, restores to a time, and what they cost, beside the disk in the same run.

benches/pitr.py VECTRA VECTORS.npy WORK_DIR [POINTS]   (the vectors: 40,000 real embeddings; WORK_DIR is made and left to the caller;
with POINTS, so many generated points of 128 dimensions too: make-data has to lie beside VECTRA)
Prints JSON lines. Needs numpy. Everything runs one after the other: use a quiet machine.
"""
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

import numpy

VECTRA, VECTORS, WORK = sys.argv[1], sys.argv[2], sys.argv[3]
ARCHIVE = os.path.join(WORK, "archive")
os.environ["VECTRA_DATA_DIR"] = os.path.join(WORK, "data")


def say(name, **figures):
    print(json.dumps({"name": name, **figures}), flush=True)


def run(*words, check=True):
    """Runs a command; gives its JSON lines and the seconds that it took."""
    began = time.monotonic()
    done = subprocess.run([VECTRA, *words, "--json"], capture_output=True, text=True)
    seconds = time.monotonic() - began
    if check and done.returncode != 0:
        sys.exit(f"{words}: exit {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()], seconds


def save(name, array):
    path = os.path.join(WORK, name)
    numpy.save(path, numpy.ascontiguousarray(array, dtype=numpy.float32))
    return path


def micros(text):
    whole, fraction = text.rstrip("Z").split(".")
    seconds = int(subprocess.run(["date", "-u", "-d", whole + "Z", "+%s"], capture_output=True, text=True).stdout)
    return seconds * 1_000_000 + int(fraction)


def stored(folder):
    """Every object of the archive below a part of its keys: size and path."""
    found = []
    for root, _, files in os.walk(ARCHIVE):
        found += [os.path.join(root, name) for name in files if f"/{folder}/" in os.path.join(root, name)]
    return found


def log_bytes(timeline):
    folder = os.path.join(ARCHIVE, "timelines", timeline, "log")
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


def info(name):
    return run("collections", "info", name)[0][-1]


def copy_floor(path):
    copy = os.path.join(WORK, "copy")
    began = time.monotonic()
    subprocess.run(["cp", "-r", path, copy], check=True)
    subprocess.run(["sync", "-f", copy], check=True)
    seconds = time.monotonic() - began
    shutil.rmtree(copy)
    return seconds


def archive_costs(real):
    """Bytes that archiving costs, for batches of 100 and for single points, and what it costs ingest."""
    for name, batch, rows in (("batches_of_100", "100", 40_000), ("single_points", "1", 4_000)):
        vectors = save(f"{name}.npy", real[:rows])
        payload = os.path.join(WORK, f"{name}.jsonl")
        with open(payload, "w", encoding="utf-8") as file:
            for row in range(rows):
                file.write(json.dumps({"name": f"package-{row}", "section": "science", "size": row % 997}) + "\n")
        raw = rows * real.shape[1] * 4 + os.path.getsize(payload)
        plain, archived = [], []
        for round_ in range(3):
            for kind, seconds in (("plain", plain), ("archived", archived)):
                collection = f"{name}_{kind}_{round_}"
                run("collections", "create", collection, "--dim", str(real.shape[1]))
                if kind == "archived":
                    run("archive", "enable", collection, "--to", ARCHIVE)
                lines, _ = run("import", collection, "--vectors", vectors, "--payload", payload, "--batch", batch, "--no-wait")
                seconds.append(lines[-1]["write_seconds"])
                if kind == "archived":
                    run("archive", "run", "--once")
                    if round_ == 0:
                        archived_bytes = log_bytes(info(collection)["timeline"])
                    run("archive", "disable", collection)
                run("collections", "drop", collection, "--purge")
        say(
            f"archive_{name}",
            points=rows,
            raw_bytes=raw,
            archived_log_bytes=archived_bytes,
            ratio=round(archived_bytes / raw, 3),
            ingest_plain_s=round(statistics.median(plain), 3),
            ingest_archived_s=round(statistics.median(archived), 3),
            ingest_cost=round(statistics.median(archived) / statistics.median(plain) - 1, 3),
        )


def recovery_point(real):
    """From synced to archived, with defaults, while 100 points are written 20 times a second."""
    run("collections", "create", "paced", "--dim", str(real.shape[1]))
    run("archive", "enable", "paced", "--to", ARCHIVE)
    timeline = info("paced")["timeline"]
    writer = subprocess.Popen(
        [VECTRA, "import", "paced", "--jsonl", "-", "--batch", "100", "--no-wait", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for batch in range(400):
        for row in range(100):
            number = (batch * 100 + row) % len(real)
            writer.stdin.write(json.dumps({"id": batch * 100 + row, "vector": [round(float(x), 5) for x in real[number]]}) + "\n")
        writer.stdin.flush()
        time.sleep(0.03)
    out, _ = writer.communicate()
    acks = [json.loads(line) for line in out.splitlines()]
    acks = [(ack["lsn"], micros(ack["commit_time"])) for ack in acks if ack["event"] == "ack"]
    run("archive", "run", "--once")
    folder = os.path.join(ARCHIVE, "timelines", timeline, "log")
    extents = sorted((int(name), os.stat(os.path.join(folder, name))) for name in os.listdir(folder))
    lags = []
    for lsn, at in acks:
        holder = next(stat for start, stat in extents if start < lsn <= start + stat.st_size - 96)
        lags.append(holder.st_mtime_ns / 1_000 - at)
    lags.sort()
    # What is written last waits for the command that was told not to wait: it is left out.
    lags = lags[: int(len(lags) * 0.97)]
    say("synced_to_archived", writes=len(lags), p50_s=round(lags[len(lags) // 2] / 1e6, 3), p99_s=round(lags[int(len(lags) * 0.99)] / 1e6, 3))
    run("archive", "disable", "paced")
    run("collections", "drop", "paced", "--purge")


def restore_to_the_middle(real):
    """40,000 points, a backup, 20,000 written after it, a restore to the middle of these."""
    noise = numpy.random.default_rng(1).normal(0, 0.02, (20_000, real.shape[1])).astype(numpy.float32)
    first, later = save("first.npy", real[:40_000]), save("later.npy", real[:20_000] + noise)
    ids = os.path.join(WORK, "later_ids.npy")
    numpy.save(ids, numpy.arange(40_000, 60_000, dtype=numpy.uint64))
    run("collections", "create", "docs", "--dim", str(real.shape[1]))
    run("archive", "enable", "docs", "--to", ARCHIVE)
    run("import", "docs", "--vectors", first)
    lines, _ = run("import", "docs", "--vectors", later, "--ids", ids, "--batch", "100")
    acks = [line for line in lines if line["event"] == "ack"]
    middle = acks[len(acks) // 2]
    run("archive", "run", "--once")
    reports = []
    for round_ in range(5):
        report, seconds = run("restore", "docs", "--source", ARCHIVE, "--to-time", middle["commit_time"], "--new-collection-name", f"middle_{round_}")
        assert report[-1]["points"] == 40_000 + middle["last_row"] + 1, report
        reports.append((report[-1]["first_answer_s"], seconds))
        size = subprocess.run(["du", "-sb", os.environ["VECTRA_DATA_DIR"]], capture_output=True, text=True).stdout.split()[0]
        run("collections", "drop", f"middle_{round_}", "--purge")
    say(
        "restore_to_the_middle",
        points=report[-1]["points"],
        bytes=report[-1]["bytes"],
        first_answer_s=round(statistics.median(first for first, _ in reports), 3),
        command_s=round(statistics.median(seconds for _, seconds in reports), 3),
        index=report[-1]["index"],
        missing=report[-1]["gap"]["missing_records"],
        database_bytes=int(size),
    )


def replay(real):
    """Opening a restored tail of 90,000 points that no segment covers: records applied, apart from copying."""
    rows = 90_000
    many = save("many.npy", numpy.resize(real[:, :64], (rows, 64)))
    for name, vectors in (("tail", many), ("tiny", save("tiny.npy", real[:1, :64]))):
        run("collections", "create", name, "--dim", "64")
        run("archive", "enable", name, "--to", ARCHIVE)
        run("import", name, "--vectors", vectors, "--batch", "1000", "--no-wait")
    run("archive", "run", "--once")
    for name in ("tail", "tiny"):
        report, _ = run("restore", name, "--source", ARCHIVE, "--latest", "--new-collection-name", f"{name}_again")
        size = report[-1]["bytes"]
    counts = [run("collections", "count", "tail_again")[1] for _ in range(9)]
    nothing = [run("collections", "count", "tiny_again")[1] for _ in range(9)]
    seconds = statistics.median(counts) - statistics.median(nothing)
    say("replay", points=rows, open_s=round(seconds, 4), points_per_second=int(rows / max(seconds, 1e-6)))
    for name in ("tail", "tiny"):
        run("collections", "drop", f"{name}_again", "--purge")


def flat_in_time(real):
    """50 random times over a history of 100 manifests, its log files put together as the archiver does when nothing else is to be done."""
    run("collections", "create", "flat", "--dim", "64", "--index", "flat")
    run("archive", "enable", "flat", "--to", ARCHIVE)
    times, rows = [], 5_000
    for number in range(100):
        part = save("part.npy", numpy.resize(real[(number * rows) % 30_000 :, :64], (rows, 64)))
        ids = os.path.join(WORK, "part_ids.npy")
        numpy.save(ids, numpy.arange(number * rows, number * rows + rows, dtype=numpy.uint64))
        lines, _ = run("import", "flat", "--vectors", part, "--ids", ids, "--batch", "100")
        times += [line["commit_time"] for line in lines if line["event"] == "ack"]
    run("archive", "run", "--once")
    manifests = len(stored("bases"))
    chosen = random.Random(1).sample(times[len(times) // 4 :], 50)
    rates = []
    for number, at in enumerate(chosen):
        report, _ = run("restore", "flat", "--source", ARCHIVE, "--to-time", at, "--new-collection-name", f"flat_{number}")
        rates.append((report[-1]["first_answer_s"], report[-1]["bytes"]))
        run("collections", "drop", f"flat_{number}", "--purge")
    seconds = sorted(first for first, _ in rates)
    per_megabyte = sorted(first / (size / 1e6) for first, size in rates)
    say(
        "flat_in_time",
        manifests_archived=manifests,
        restores=len(rates),
        bytes=[min(size for _, size in rates), max(size for _, size in rates)],
        fastest_s=seconds[0],
        median_s=seconds[25],
        slowest_s=seconds[-1],
        slowest_to_fastest_per_byte=round(per_megabyte[-1] / per_megabyte[0], 2),
    )


def whole_restore():
    """The largest collection whole, beside cp of the same bytes."""
    incarnation = info("docs")["incarnation"]
    folder = os.path.join(os.environ["VECTRA_DATA_DIR"], "collections", incarnation)
    restores, copies = [], []
    for round_ in range(5):
        copies.append(copy_floor(folder))
        report, _ = run("restore", "docs", "--source", ARCHIVE, "--latest", "--new-collection-name", f"whole_{round_}")
        restores.append(report[-1]["seconds"])
        run("collections", "drop", f"whole_{round_}", "--purge")
    say("whole_restore", bytes=report[-1]["bytes"], restore_s=round(statistics.median(restores), 3), cp_and_sync_s=round(statistics.median(copies), 3),
        ratio=round(statistics.median(restores) / statistics.median(copies), 2))


def large(points):
    """A large generated collection: archived, restored whole beside cp, and lazily."""
    make = os.path.join(os.path.dirname(VECTRA), "make-data")
    subprocess.run([make, os.path.join(WORK, "large"), str(points), "128", "50"], check=True, stdout=subprocess.DEVNULL)
    run("collections", "create", "large", "--dim", "128", "--distance", "euclid")
    lines, built = run("import", "large", "--vectors", os.path.join(WORK, "large", "vectors.npy"))
    _, enabled = run("archive", "enable", "large", "--to", ARCHIVE)
    folder = os.path.join(os.environ["VECTRA_DATA_DIR"], "collections", info("large")["incarnation"])
    wholes, lazies, copies = [], [], []
    for round_ in range(3):
        copies.append(copy_floor(folder))
        report, _ = run("restore", "large", "--source", ARCHIVE, "--latest", "--new-collection-name", f"large_{round_}")
        wholes.append(report[-1]["seconds"])
        size = report[-1]["bytes"]
        run("collections", "drop", f"large_{round_}", "--purge")
        report, _ = run("restore", "large", "--source", ARCHIVE, "--latest", "--lazy", "--new-collection-name", f"lazy_{round_}")
        lazies.append((report[0]["first_answer_s"], report[-1]["full_speed_s"]))
        away = report[0]["bytes_away"]
        run("collections", "drop", f"lazy_{round_}", "--purge")
    say(
        "large",
        points=points,
        bytes=size,
        build_s=round(built, 1),
        archive_all_s=round(enabled, 2),
        cp_and_sync_s=round(statistics.median(copies), 2),
        restore_s=round(statistics.median(wholes), 2),
        restore_to_cp=round(statistics.median(wholes) / statistics.median(copies), 2),
        lazy_bytes_away=away,
        lazy_first_answer_s=round(statistics.median(first for first, _ in lazies), 3),
        lazy_full_speed_s=round(statistics.median(full for _, full in lazies), 2),
    )


def takeover():
    """Another machine takes the collection over through the archive alone; the old one is fenced."""
    old = os.environ["VECTRA_DATA_DIR"]
    os.environ["VECTRA_DATA_DIR"] = os.path.join(WORK, "other")
    report, seconds = run("restore", "docs", "--source", ARCHIVE, "--latest", "--exclusive")
    os.environ["VECTRA_DATA_DIR"] = old
    done = subprocess.run([VECTRA, "points", "delete", "docs", "--ids", "1"], capture_output=True, text=True)
    say("takeover", points=report[-1]["points"], command_s=round(seconds, 3), exit_of_the_old_writer=done.returncode)


os.makedirs(WORK)
REAL = numpy.load(VECTORS).astype(numpy.float32)
with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
    CPU = next(line.split(": ")[1].strip() for line in cpuinfo if line.startswith("model name"))
say("machine", cpu=CPU, cores=os.cpu_count(), vectors=list(REAL.shape))
archive_costs(REAL)
recovery_point(REAL)
restore_to_the_middle(REAL)
whole_restore()
replay(REAL)
flat_in_time(REAL)
takeover()
if len(sys.argv) > 4:
    ARCHIVE = os.path.join(WORK, "archive-of-large")
    os.environ["VECTRA_DATA_DIR"] = os.path.join(WORK, "data-of-large")
    large(int(sys.argv[4]))
