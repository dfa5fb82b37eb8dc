"""Make the points that `vectra demo` ships: every 8th row of a larger set of real embeddings.

    python3 make.py SOURCE TARGET

SOURCE holds vectors.npy (<f2), payload.jsonl.gz (a line a row) and queries.npy (<f4).
TARGET gets the same three files, smaller. Rows are renumbered: the id of a point is its row,
so the `id` key of the payload is dropped. Only the standard library is needed, and the same
source gives the same bytes.
"""

import ast
import gzip
import json
import sys
from pathlib import Path

STRIDE = 8
ROW_COUNT = 5_000
QUERY_COUNT = 50
ITEM_SIZES = {"<f2": 2, "<f4": 4}
MAGIC = b"\x93NUMPY\x01\x00"


def read_npy(path):
    """Return (descr, columns, rows), each row as its raw bytes."""
    data = path.read_bytes()
    if data[:8] != MAGIC:
        sys.exit(f"{path}: not an npy file of version 1.0")
    start = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:start].decode("latin-1").strip())
    if header["fortran_order"] or header["descr"] not in ITEM_SIZES:
        sys.exit(f"{path}: expected C order and one of {sorted(ITEM_SIZES)}, got {header}")
    row_count, columns = header["shape"]
    row_size = columns * ITEM_SIZES[header["descr"]]
    if len(data) != start + row_count * row_size:
        sys.exit(f"{path}: expected {row_count} rows of {row_size} bytes")
    rows = [data[start + i * row_size : start + (i + 1) * row_size] for i in range(row_count)]
    return header["descr"], columns, rows


def write_npy(path, descr, columns, rows):
    """Write an npy file of version 1.0 whose data starts at a multiple of 64 bytes."""
    shape = (len(rows), columns)
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode("latin-1")
    padding = -(len(MAGIC) + 2 + len(header) + 1) % 64
    header += b" " * padding + b"\n"
    path.write_bytes(MAGIC + len(header).to_bytes(2, "little") + header + b"".join(rows))


def choose(rows, count, path):
    """Return `count` rows, every STRIDE-th from the first on."""
    chosen = rows[::STRIDE][:count]
    if len(chosen) != count:
        sys.exit(f"{path}: too few rows for {count} at a stride of {STRIDE}")
    return chosen


def main():
    """Read SOURCE, write TARGET."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for name, count in (("vectors.npy", ROW_COUNT), ("queries.npy", QUERY_COUNT)):
        descr, columns, rows = read_npy(source / name)
        write_npy(target / name, descr, columns, choose(rows, count, source / name))
    with gzip.open(source / "payload.jsonl.gz", "rt", encoding="utf-8") as lines:
        payloads = choose(list(lines), ROW_COUNT, source / "payload.jsonl.gz")
    with open(target / "payload.jsonl.gz", "wb") as file:
        # No name and no time in the gzip header: the bytes depend on the source alone.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as packed:
            for line in payloads:
                payload = json.loads(line)
                del payload["id"]
                text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
                packed.write(text.encode("utf-8") + b"\n")


if __name__ == "__main__":
    main()
