"""The typed calls against a live server: each answer is held against the document that the server itself gives.

python typed.py URL DIRECTORY
What is backed up, archived and restored goes below DIRECTORY. It needs jsonschema_rs, which comes with schemathesis.
"""

import json
import sys
import urllib.error
import urllib.request

import jsonschema_rs

NAME = "typed_calls"


class Api:
    def __init__(self, url):
        self.url = url
        self.document = self.ask("GET", "/vectra/v1/openapi.json")[1]
        self.asked = set()

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def call(self, method, path, body=None, status=200, query="", **parts):
        """Asks, and holds the answer against the schema of its status."""
        got, answer = self.ask(method, "/vectra/v1" + path.format(**parts) + query, body)
        if got != status:
            raise SystemExit(f"{method} {path} {body}: expected status {status}, got {got} {answer}")
        responses = self.document["paths"][path][method.lower()]["responses"]
        response = responses.get(str(got), responses["default"])
        schema = {"components": self.document["components"], **response["content"]["application/json"]["schema"]}
        try:
            jsonschema_rs.Draft202012Validator(schema).validate(answer)
        except jsonschema_rs.ValidationError as error:
            raise SystemExit(f"{method} {path}: the answer is not what the document says: {error}") from error
        if got < 300:
            self.asked.add((method, path))
        return answer


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: expected {wanted}, got {got}")


def main(url, directory):
    api = Api(url)
    backups, archive = f"{directory}/backups", f"{directory}/archive"
    api.ask("DELETE", f"/collections/{NAME}")
    api.ask("PUT", f"/collections/{NAME}", {"vectors": {"size": 2, "distance": "Euclid"}})
    points = [{"id": n, "vector": [n, 0], "payload": {"n": n}} for n in range(100)]
    api.ask("PUT", f"/collections/{NAME}/points?wait=true", {"points": points})
    enable = ["--json", "archive", "enable", f"--to={archive}", "--", NAME]
    request = {"words": enable, "directory": "/"}
    raw = urllib.request.Request(url + "/vectra/v1/commands", json.dumps(request).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(raw) as answer:
        frames = answer.read()
    expect("archive enable", frames[-1], 0)

    made = api.call("POST", "/collections/{collection}/backups", {"destination": backups, "snapshot_id": "one", "wait": True}, collection=NAME)
    expect("points of a backup", made["points"], 100)
    job = api.call("POST", "/collections/{collection}/backups", {"destination": backups}, 202, collection=NAME)["job"]
    ended = api.call("GET", "/jobs/{job}/wait", job=job, query="?timeout=60")
    expect("the job", (ended["state"], ended["exit"]), ("done", 0))
    expect("a job of the list", api.call("GET", "/jobs")["jobs"][0], api.call("GET", "/jobs/{job}", job=job))
    api.call("POST", "/jobs/{job}/cancel", status=409, job=job)
    expect("backups", len(api.call("GET", "/backups", query=f"?source={backups}")["snapshots"]), 2)
    api.call("GET", "/backups/{snapshot_id}", snapshot_id="one", query=f"?source={backups}")
    api.call("GET", "/backups/{snapshot_id}", snapshot_id="two", query=f"?source={backups}", status=404)
    expect("verified", api.call("POST", "/backups/verify", {"source": backups, "level": "index"})["ok"], True)
    api.call("POST", "/collections/{collection}/backups", {"destination": backups, "snapshot_id": "one", "wait": True}, 409, collection=NAME)

    api.ask("POST", f"/collections/{NAME}/points/delete?wait=true", {"points": list(range(50))})
    before = api.call("GET", "/backups/{snapshot_id}", snapshot_id="one", query=f"?source={backups}")["chain"][0]["commit_time"]
    window = api.call("GET", "/collections/{collection}/recovery-window", collection=NAME)["window"]
    expect("the window", window["from"] <= before <= window["to"], True)
    expect("now", api.call("POST", "/collections/{collection}/count", {}, collection=NAME)["count"], 50)
    expect("then", api.call("POST", "/collections/{collection}/count", {"as_of": before}, collection=NAME)["count"], 100)
    found = api.call("POST", "/collections/{collection}/search", {"vectors": [[3, 0]], "top": 1, "as_of": before, "with_payload": True}, collection=NAME)
    expect("found then", found["results"][0]["hits"][0]["id"], 3)
    some = {"must": [{"key": "n", "range": {"gte": 60}}]}
    found = api.call("POST", "/collections/{collection}/search", {"vectors": [[3, 0], [99, 1]], "top": 2, "filter": some}, collection=NAME)
    expect("found now", [result["hits"][0]["id"] for result in found["results"]], [60, 99])

    plan = {"collection": NAME, "source": archive, "to_time": before, "dry_run": True, "replace": True}
    api.call("POST", "/restore", plan)
    again = {"collection": NAME, "source": archive, "to_time": before, "new_collection_name": NAME + "_2", "wait": True}
    expect("restored", api.call("POST", "/restore", again)["points"], 100)
    api.call("POST", "/restore", again, 409)
    api.call("POST", "/restore", {"collection": "missing", "source": backups, "wait": True}, 404)
    api.call("POST", "/restore", {"collection": NAME, "source": "relative"}, 400)
    branch = api.call("POST", "/collections/{collection}/branches", {"name": NAME + "_3", "as_of": before}, collection=NAME)
    expect("branched", branch["points"], 100)

    expect("archived", [status["name"] for status in api.call("GET", "/archive/status")["archives"]], [NAME])
    expect("the archive", api.call("POST", "/archive/verify", {"source": archive})["ok"], True)
    drill = api.call("POST", "/drills", {"collection": NAME, "source": archive, "to_time": "latest"})
    expect("the drill", drill["outcome"], "passed")
    api.call("GET", "/drills/{drill}", drill=drill["id"])
    expect("reports", drill["id"] in [report["id"] for report in api.call("GET", "/drills")["drills"]], True)
    expect("readiness", api.call("GET", "/dr/status", query="?rto=60s")["ok"], True)
    missed = api.call("GET", "/dr/status", query="?rto=0s", status=409)
    expect("a goal that is missed", (missed["kind"], missed["result"]["ok"]), ("missed", False))
    api.call("GET", "/dr/plan")

    nightly = {"collection": NAME, "destination": backups + "_%Y%m%d", "cron": "30 2 * * *", "timezone": "+02:00"}
    expect("set", api.call("PUT", "/schedules/{name}", nightly, name="nightly")["cron"], "30 2 * * *")
    api.call("PUT", "/schedules/{name}", {**nightly, "cron": "61 2 * * *"}, 400, name="nightly")
    api.call("PUT", "/drills/schedules/{name}", {"collection": NAME, "source": archive, "every": "1d", "to_time": "random"}, name="daily")
    expect("schedules", sorted(found["name"] for found in api.call("GET", "/schedules")["schedules"]), ["daily", "nightly"])
    for name in ("daily", "nightly"):
        api.call("DELETE", "/schedules/{name}", name=name)
    api.call("DELETE", "/schedules/{name}", status=404, name="nightly")
    for name in (NAME, NAME + "_2", NAME + "_3"):
        api.ask("DELETE", f"/collections/{name}")

    every = {(method.upper(), path) for path, operations in api.document["paths"].items() for method in operations}
    expect("calls that were not made", every - api.asked, {("POST", "/jobs/{job}/cancel")})
    print(f"typed calls: {len(every)} answer as their document says")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
