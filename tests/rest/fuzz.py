"""Random calls of both APIs by their documents, with schemathesis: no server error, and typed answers as they are described.

python fuzz.py URL DIRECTORY [--seconds N] [--seed S]
What is backed up and restored goes below DIRECTORY: the documents are narrowed to places there, and calls that write to a
place are never made with values that their document does not allow.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

DOCUMENTS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi"
NAMES = ["docs", "copy", "missing"]


def ask(url, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def prepare(url, directory):
    """Makes what calls can be about: points, a backup, an archive with a drill, a job, a snapshot with its file."""
    ask(url, "PUT", "/collections/docs", {"vectors": {"size": 4, "distance": "Cosine"}})
    ask(url, "PUT", "/collections/copy", {"vectors": {"a": {"size": 2, "distance": "Dot"}, "b": {"size": 3, "distance": "Euclid"}}})
    points = [{"id": n, "vector": [n, 1, 2, 3], "payload": {"n": n, "text": f"word {n}", "place": {"lat": n, "lon": n}}} for n in range(60)]
    ask(url, "PUT", "/collections/docs/points?wait=true", {"points": points})
    backups, archive = f"{directory}/backups", f"{directory}/archive"
    line = {"words": ["archive", "enable", f"--to={archive}", "--", "docs"], "directory": "/"}
    raw = urllib.request.Request(url + "/vectra/v1/commands", json.dumps(line).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(raw).read()
    ask(url, "POST", "/vectra/v1/collections/docs/backups", {"destination": backups, "snapshot_id": "one", "wait": True})
    job = ask(url, "POST", "/vectra/v1/collections/docs/backups", {"destination": backups})["job"]
    drill = ask(url, "POST", "/vectra/v1/drills", {"collection": "docs", "source": archive, "to_time": "latest"})["id"]
    snapshot = ask(url, "POST", "/collections/docs/snapshots")["result"]["name"]
    place = f"{url}/collections/docs/snapshots/{snapshot}"
    file = pathlib.Path(directory) / "docs.tar"
    with urllib.request.urlopen(place) as answer:
        file.write_bytes(answer.read())
    return {
        "collection": NAMES, "name": NAMES + ["branch"], "new_collection_name": ["copy", "another"], "scratch_name": ["copy", "scratch"],
        "destination": [backups, f"{directory}/more"], "source": [backups, archive, f"{directory}/nothing"], "snapshot_id": ["one", "two"],
        "job": [job, "0" * 16], "drill": [drill, "none"], "snapshot": [snapshot, "none"], "collection_name": NAMES,
        "location": [place, f"file://{file}", f"file://{directory}/nothing", "nonsense"],
    }


def narrow(value, choices):
    """Gives a document in which members of these names are one of these values."""
    if isinstance(value, list):
        return [narrow(item, choices) for item in value]
    if not isinstance(value, dict):
        return value
    narrowed = {name: narrow(item, choices) for name, item in value.items()}
    properties = narrowed.get("properties")
    if isinstance(properties, dict):
        # Who was taken over may write no more, which is an error of no server.
        properties.pop("exclusive", None)
        for name in properties.keys() & choices.keys():
            properties[name] = {"enum": choices[name]}
        if "parent" in properties:
            properties["parent"] = {"type": "array", "maxItems": 2, "items": {"enum": choices["source"]}}
    if "in" in narrowed and narrowed.get("name") in choices:
        narrowed["schema"] = {"enum": choices[narrowed["name"]]}
    return narrowed


def run(document, url, seconds, seed, checks, *options):
    program = str(pathlib.Path(sys.executable).parent / "schemathesis")
    words = [program, "run", str(document), "--url", url, "--checks", checks, "--max-time", str(seconds), "--seed", str(seed)]
    words += ["--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--request-timeout", "60", *options]
    with tempfile.TemporaryDirectory() as place:
        ran = subprocess.run(words, capture_output=True, text=True, cwd=place)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{ran.stdout[-20000:]}{ran.stderr}")
    found = [line.strip() for line in ran.stdout.splitlines() if "generated" in line or "passed" in line]
    return "; ".join(found)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("directory")
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    choices = prepare(given.url, given.directory)
    documents = {}
    for name in ["rest", "vectra-v1"]:
        documents[name] = pathlib.Path(given.directory) / f"{name}.json"
        document = json.loads((DOCUMENTS / f"{name}.json").read_text())
        # Answers of the typed calls are held against what the document says, so only what is asked is narrowed there.
        parts = ["paths"] if name == "vectra-v1" else ["paths", "components"]
        documents[name].write_text(json.dumps({**document, **{part: narrow(document[part], choices) for part in parts}}))
    conforms = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance"
    typed = given.url + "/vectra/v1"
    part = max(1, given.seconds // 6)
    negative = ["--mode", "negative", "--exclude-operation-id", "makeBackup", "--exclude-operation-id", "setSchedule"]
    runs = {
        "rest": (documents["rest"], given.url, 3 * part, given.seed, "not_a_server_error"),
        "v1": (documents["vectra-v1"], typed, 2 * part, given.seed, conforms, "--mode", "positive"),
        "v1, values that are not allowed": (documents["vectra-v1"], typed, part, given.seed, conforms, *negative),
    }
    # Two at a time: making up requests takes longer than answering them.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, found in zip(runs, pool.map(lambda words: run(*words), runs.values())):
            print(f"{name}: {found}")
    ask(given.url, "GET", "/collections")


if __name__ == "__main__":
    main()
