#!/usr/bin/env bash
# Python's http.client, and so urllib: `for line in response` and `response.readline()` take a chunked answer whose
# connection is cut between two chunks for a whole one. `read`, `read(n)` and `read1` raise IncompleteRead for the same
# answer, and so do all of them where the cut is within a chunk.
# A good guess is that every way to read reports an answer that lacks its end: a server that streams JSON lines has no
# other way to say that it failed midway, and a client that reads lines would take half of a run for the run.
# The cause: `readline` looks ahead by `peek`, and `peek` of a chunked answer returns nothing at IncompleteRead.
#
# Seen with Python 3.11.7 on Linux; the output of this script:
#   between chunks: lines 2 lines, readline 2 lines, read IncompleteRead, read(n) IncompleteRead, read1 IncompleteRead
#   within a chunk: lines IncompleteRead, readline IncompleteRead, read IncompleteRead, read(n) IncompleteRead, read1 IncompleteRead
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >seen.py <<'PY'
import http.client
import socket
import threading
import urllib.request

LINES = b'{"step":1}\n{"step":2}\n'
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(LINES), LINES)
CUTS = {"between chunks": ANSWER, "within a chunk": ANSWER + b'100\r\n{"step":3}\n'}
READERS = {
    "lines": list,
    "readline": lambda response: list(iter(response.readline, b"")),
    "read": lambda response: response.read().splitlines(),
    "read(n)": lambda response: list(iter(lambda: response.read(65536), b"")),
    "read1": lambda response: list(iter(lambda: response.read1(65536), b"")),
}


def answer_once(listener, answer):
    connection, _ = listener.accept()
    with connection:
        while b"\r\n\r\n" not in connection.recv(65536):
            pass
        connection.sendall(answer)


def outcome(read, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_once, args=(listener, answer), daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/") as response:
            try:
                return f"{len(read(response))} lines"
            except http.client.IncompleteRead:
                return "IncompleteRead"


for cut, answer in CUTS.items():
    print(f"{cut}: " + ", ".join(f"{name} {outcome(read, answer)}" for name, read in READERS.items()))
PY
no_proxy=127.0.0.1 python3 seen.py | tee seen
sed -n 's/^#   \(.*: .*\)$/\1/p' "$script" >expected
diff expected seen
