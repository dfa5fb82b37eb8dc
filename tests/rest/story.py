"""Runs the README's section on serving word for word: its shell and Python blocks in their order, against a server of its own, and checks its configuration.

python story.py VECTRA
Only the port is another one. What a line of a Python block says it prints, in the comment behind it, has to be what it prints.
"""

import contextlib
import io
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
PORT = "6333"


def blocks():
    """Gives the fenced blocks of the section, with their languages."""
    section = README.read_text().split("\n## Serve\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.M | re.S)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def serve(line, place, environment):
    """Starts the server of a block, and waits until it is ready."""
    port = re.search(r"127\.0\.0\.1:(\d+)", line).group(1)
    server = subprocess.Popen(line.split("&")[0].split(), cwd=place, env=environment)
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
            return server
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the server of the README does not get ready")


def run_shell(block, place, environment):
    """Runs a block; gives the environment that it leaves."""
    kept = place / "environment"
    subprocess.run(["bash", "-euo", "pipefail", "-c", f"set -a\n{block}\nenv -0 >{kept}"], cwd=place, env=environment, check=True)
    return dict(entry.split("=", 1) for entry in kept.read_text().split("\0") if entry)


def run_python(block, names):
    """Runs a block, and compares what it prints with what it says it prints."""
    said = re.findall(r"^print\(.*\)\s+# (.+)$", block, re.M)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), names)
    got = printed.getvalue().split("\n")[:-1]
    if got != said:
        raise SystemExit(f"the README says {said}, and its Python prints {got}:\n{block}")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    port, names, server, count = free_port(), {}, None, 0
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": directory}
        try:
            for language, block in blocks():
                block = block.replace(PORT, port)
                if language == "sh" and "vectra serve" in block:
                    server = serve(block, place, environment)
                elif language == "toml":
                    (place / "vectra.toml").write_text(block)
                    subprocess.run(["vectra", "config", "check", "--config", "vectra.toml"], cwd=place, env=environment, check=True)
                elif language == "sh":
                    environment = run_shell(block, place, environment)
                else:
                    run_python(block, names)
                count += 1
        finally:
            if server:
                server.send_signal(signal.SIGTERM)
                server.wait(60)
    if count < 7 or server.returncode != 0:
        raise SystemExit(f"{count} blocks of the README ran, and its server ended with {server.returncode}")
    print(f"the README's story of serving holds: {count} blocks")


main()
