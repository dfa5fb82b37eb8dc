"""Snapshots through the Python client: made, listed, downloaded, recovered, deleted; of a collection and of everything.

python snapshots.py URL
"""

import hashlib
import io
import sys
import tarfile
import tempfile
import urllib.request

from qdrant_client import QdrantClient, models

NAME = "snapshots_of_a_client"


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: expected {wanted}, got {got}")


def refused(what, status, call):
    try:
        call()
    except Exception as error:  # the client has a class of its own for each kind
        if getattr(error, "status_code", None) != status:
            raise SystemExit(f"{what}: expected status {status}, got {error!r}") from error
        return
    raise SystemExit(f"{what}: expected status {status}, got an answer")


def main(url):
    client = QdrantClient(url=url)
    for name in (NAME, NAME + "_2"):
        client.delete_collection(name)
    client.create_collection(NAME, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    points = [models.PointStruct(id=n, vector=[n, 1, 2, 3], payload={"n": n}) for n in range(50)]
    client.upsert(NAME, points, wait=True)
    nearest = client.query_points(NAME, query=[1, 0, 0, 0], limit=5)

    made = client.create_snapshot(NAME)
    expect("list", client.list_snapshots(NAME), [made])
    client.delete(NAME, models.FilterSelector(filter=models.Filter(must=[models.FieldCondition(key="n", range=models.Range(lt=40))])))
    expect("deleted", client.count(NAME).count, 10)

    location = f"{url}/collections/{NAME}/snapshots/{made.name}"
    expect("recover", client.recover_snapshot(NAME, location, priority=models.SnapshotPriority.SNAPSHOT, checksum=made.checksum), True)
    expect("recovered", client.count(NAME).count, 50)
    expect("answers", client.query_points(NAME, query=[1, 0, 0, 0], limit=5), nearest)
    refused("another checksum", 400, lambda: client.recover_snapshot(NAME, location, checksum="0" * 64))
    refused("no such snapshot", 404, lambda: client.recover_snapshot(NAME, location + "x"))

    with urllib.request.urlopen(location) as answer:
        tar = answer.read()
    expect("size", len(tar), made.size)
    expect("checksum", hashlib.sha256(tar).hexdigest(), made.checksum)
    names = tarfile.open(fileobj=io.BytesIO(tar)).getnames()
    expect("a tar that others read", (names[0], names[-1]), ("archive.json", f"snapshots/{made.name}.json"))

    with tempfile.NamedTemporaryFile(suffix=".snapshot") as file:
        file.write(tar)
        file.flush()
        expect("from a file", client.recover_snapshot(NAME + "_2", f"file://{file.name}"), True)
        expect("under another name", client.count(NAME + "_2").count, 50)
    uploaded = client.http.snapshots_api.recover_from_uploaded_snapshot(NAME + "_2", wait=True, snapshot=io.BytesIO(tar))
    expect("uploaded", uploaded.result, True)
    expect("from the upload", client.count(NAME + "_2").count, 50)

    expect("nobody waits", client.create_snapshot(NAME, wait=False), None)
    full = client.create_full_snapshot()
    expect("of everything", full in client.list_full_snapshots(), True)
    expect("deleted, of everything", client.delete_full_snapshot(full.name), True)
    expect("none is left", full in client.list_full_snapshots(), False)
    for snapshot in client.list_snapshots(NAME):
        expect("delete", client.delete_snapshot(NAME, snapshot.name), True)
    refused("deleted twice", 404, lambda: client.delete_snapshot(NAME, made.name))
    for name in (NAME, NAME + "_2"):
        client.delete_collection(name)
    print("snapshots: made, downloaded, recovered, uploaded and deleted")


if __name__ == "__main__":
    main(sys.argv[1])
