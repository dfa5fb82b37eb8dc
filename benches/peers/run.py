"""Measures VectraDB and its peers on the same data in the same run, in turn, and writes one table.

In every round each system is measured once, in a new process; the order moves on by one from round to round. Searches
run on one core, one query after the other; peers are asked through their fastest call for one thread, and what a call
from Python costs is not counted. Indexes of the peers are built once and loaded in each round; ours goes through
`vectra bench search` as a whole each time (import, graph, 1% overwritten, searches), so that its build has rounds too.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import table
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent
EFS = "10,12,16,20,24,32,40,48,64,80,96,128,160,192,256,384,512"
QUICK = {"ef": "10,20,40,80,160", "rounds": 1, "seconds": 0.2}

EXPECTED = """\
How long it takes (2 cores, quiet): about 1.7 s for each --ef, peer and round, so that a round of all eight systems takes
about 4 minutes; ours imports and builds in each round, the peers build once. With the default of 5 rounds expect 20 minutes
for 40,000 x 384, 25 for 50,000 x 768 or 25,000 x 1536, 35 for 200,000 x 128, 75 for 1,000,000 x 128 (half of it the peers'
builds: --cache DIR keeps them for the next run). The machine should do nothing else; results are written after each round."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """A system did not build or search; the text says why."""


def reason(text, code, private):
    """The last line that says something, without names of folders of this machine."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "no word"
    for folder in private:
        last = last.replace(str(folder), "...")
    last = re.sub(r"(?<!\w)/[^\s:]+/", ".../", last)[:300]
    return f"{'signal' if code < 0 else 'exit'} {abs(code)}: {last}"


class Run:
    """One data set, all systems."""

    def __init__(self, args, data, scratch):
        self.args, self.data, self.scratch = args, data, scratch
        self.lines = []

    def keep(self, kind, name, **figures):
        self.lines.append({"kind": kind, "name": name, **figures})

    def fail(self, name, step, error):
        say(f"{name}: {step}: {error}")
        self.keep("failed", name, step=step, error=str(error))

    def peer(self, step, name, *options, core=None):
        """Runs peer.py; gives its JSON lines."""
        pin = ["taskset", "-c", str(core)] if core is not None else []
        words = [*pin, sys.executable, str(HERE / "peer.py"), step, name, str(self.data.folder), str(self.folder(name)), *options]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=self.args.timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done within {self.args.timeout} s") from None
        if done.returncode != 0:
            raise Failed(reason(done.stderr, done.returncode, (self.scratch, self.args.cache, HERE, self.data.folder, sys.prefix)))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def folder(self, name):
        """Where the index of a peer lies: other data, or other settings, and it is another folder."""
        settings = re.sub(r"\W+", "-", f"{name}-{SYSTEMS[name].how.split(';')[0]}")
        return self.args.cache / f"{self.data.name}-{self.data.fingerprint()}" / settings

    def build(self, name):
        """Builds the index of a peer unless it is there; False when it cannot."""
        built = self.folder(name) / "built.json"
        try:
            if not built.exists():
                say(f"{name}: building")
                self.peer("build", name, "--threads", str(self.args.threads))
            self.keep("build", name, **json.loads(built.read_text(encoding="utf-8")))
        except Failed as failed:
            self.fail(name, "build", failed)
            return False
        return True

    def search_peer(self, name, number):
        efs = ["--ef", ",".join(map(str, self.args.ef)), "--seconds", str(self.args.seconds)]
        for line in self.peer("search", name, *efs, core=self.args.core):
            self.keep("search", name, round=number, **line)

    def search_ours(self, name, options, number):
        """Runs `vectra bench search`. The first number of candidates is asked twice: when its line comes, the import
        is over and all threads go to the core of the searches; the second time counts."""
        efs = ",".join(map(str, [self.args.ef[0], *self.args.ef]))
        words = [self.args.vectra, "bench", "search", "--data", self.data.folder, "--ef", efs, "--json", *options]
        place = {**os.environ, "VECTRA_DATA_DIR": str(self.scratch / "data")}
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place)
        complaints = []
        reader = threading.Thread(target=lambda: complaints.extend(child.stderr))
        reader.start()
        clock = threading.Timer(self.args.timeout, child.terminate)
        clock.start()
        found = []
        for line in child.stdout:
            if not found:
                self.pin(child.pid)
            found.append(json.loads(line))
        code = child.wait()
        clock.cancel()
        reader.join()
        if code != 0:
            raise Failed(reason("".join(complaints), code, (self.scratch, self.data.folder)))
        built = {key: found[0][key] for key in ("build_s", "build_cpu_s", "bytes_per_vec")}
        self.keep("build", name, round=number, **built, build_threads=self.args.threads, vector_bytes=self.data.stored_bytes)
        for ef, line in zip(self.args.ef, found[1:]):
            figures = {key: line[key] for key in table.MEASURES}
            self.keep("search", name, round=number, ef=ef, **figures)

    def pin(self, pid):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {self.args.core})

    def measure(self):
        """All rounds. What there is so far is written after each, so that a run that is stopped was not in vain."""
        peers = [name for name in self.args.peers if self.build(name)]
        systems = [*self.args.ours, *peers]
        for number in range(self.args.rounds):
            first = number % max(1, len(systems))
            for name in systems[first:] + systems[:first]:
                began = time.monotonic()
                try:
                    if name in self.args.ours:
                        self.search_ours(name, self.args.ours[name], number)
                    else:
                        self.search_peer(name, number)
                except Failed as failed:
                    self.fail(name, f"search, round {number}", failed)
                say(f"round {number + 1} of {self.args.rounds}: {name}: {time.monotonic() - began:.0f} s")
            self.write(number + 1)

    def write(self, rounds):
        """Keeps the lines and the table of the rounds so far; a run whose results are not kept prints the table at its end."""
        lines = [self.header(rounds), *self.lines]
        page = table.markdown(lines)
        if self.args.out:
            self.args.out.mkdir(parents=True, exist_ok=True)
            rows = "".join(json.dumps(line) + "\n" for line in lines)
            (self.args.out / f"peers-{self.data.name}.jsonl").write_text(rows, encoding="utf-8")
            (self.args.out / f"peers-{self.data.name}.md").write_text(page, encoding="utf-8")
        if rounds == self.args.rounds:
            print(page, flush=True)

    def header(self, rounds):
        args, data = self.args, self.data
        return {
            "kind": "machine",
            "data": data.name,
            "rows": data.rows,
            "dim": data.dim,
            "metric": data.metric,
            "queries": len(data.queries),
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "commit": commit(),
            "rounds": rounds,
            "seconds": args.seconds,
            "build_threads": args.threads,
            "systems": {
                **{name: " ".join(["`vectra bench search`", *options]) for name, options in args.ours.items()},
                **{name: f"({installed(SYSTEMS[name].package)}): {SYSTEMS[name].how}" for name in args.peers},
            },
        }


def cpu_name():
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip() if found else "unknown"


def commit():
    """The commit of this checkout, `+` when it holds changes to tracked files; the tables themselves do not count."""
    git = lambda *words: subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/benches/results")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def installed(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"


def ours_of(text):
    name, _, options = text.partition("=")
    return name, options.split()


def chosen_peers(text):
    """Systems whose names begin with one of the words."""
    words = text.split(",") if text else []
    unknown = [word for word in words if not any(name.startswith(word) for name in SYSTEMS)]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {unknown}: expected beginnings of {list(SYSTEMS)}")
    return [name for name in SYSTEMS if any(name.startswith(word) for word in words)]


def arguments():
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__, epilog=EXPECTED, formatter_class=form)
    parser.add_argument("--data", type=Path, action="append", metavar="DIR", help="vectors.npy, queries.npy, truth.npy, metric; may be given again [a generated set of 20,000 x 128]")
    parser.add_argument("--peers", type=chosen_peers, default=list(SYSTEMS), metavar="A,B", help=f"names or their beginnings, \"\" for none [{','.join(SYSTEMS)}]")
    parser.add_argument("--ours", type=ours_of, action="append", metavar="NAME=OPTIONS", help="name and options of `vectra bench search`; may be given again [vectra=]")
    parser.add_argument("--rounds", type=int, metavar="N", help="[5]")
    parser.add_argument("--ef", metavar="N,..", help=f"numbers of candidates, rising [{EFS}]; a peer stops where its recall is 0.998")
    parser.add_argument("--seconds", type=float, metavar="S", help="at least so long for each number of candidates of a peer [1.0]")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that all run; the table is printed and not kept")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the indexes of the peers there for another run, with what building them took then")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where peers-DATA.jsonl and .md go [benches/results]")
    parser.add_argument("--vectra", type=Path, metavar="FILE", required=True, help="the program [run.sh builds it, release]")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1, help="the core of the searches [the last]")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of the builds of peers; ours takes all cores [all cores]")
    parser.add_argument("--timeout", type=int, default=7200, help="seconds for one build or search of one system [7200]")
    args = parser.parse_args()
    defaults = QUICK if args.quick else {"ef": EFS, "rounds": 5, "seconds": 1.0}
    for key, value in defaults.items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    args.ef = [int(ef) for ef in args.ef.split(",")]
    args.ours = dict(args.ours or [("vectra", [])])
    if not args.vectra.is_file():
        parser.error(f"--vectra: there is no file {args.vectra}")
    if args.out is None and not args.quick:
        args.out = HERE.parent / "results"
    return args


def generated(scratch):
    folder = scratch / "generated-20k"
    subprocess.run([sys.executable, HERE / "make.py", folder, "20000", "128"], check=True)
    return folder


def main():
    args = arguments()
    # After the arguments: it needs numpy, and asking for help should not.
    from dataset import Dataset

    scratch = Path(tempfile.mkdtemp(prefix="vectra-peers-"))
    args.cache = args.cache or scratch / "indexes"
    (scratch / "data").mkdir()
    try:
        for folder in args.data or [generated(scratch)]:
            Run(args, Dataset(folder), scratch).measure()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
