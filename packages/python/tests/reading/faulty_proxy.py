"""A proxy between a client and the real server, which fails as links and proxies do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from urllib.parse import urlsplit

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultyProxy:
    """Relays one request per connection. Each fault is of one connection, in order; later ones are relayed as they are.

    A fault is a number of chunks of the answer after which it is cut, the answer itself, or None.
    """

    def __init__(self, server: str, faults: list[int | bytes | None]) -> None:
        self._target = urlsplit(server)
        self._faults = list(faults)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.paths: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                fault = self._faults.pop(0) if self._faults else None
                threading.Thread(target=self._relay, args=(client, fault), daemon=True).start()

    def _relay(self, client: socket.socket, fault: int | bytes | None) -> None:
        with client, suppress(OSError):
            request = _until_blank_line(client.makefile("rb"))
            self.paths.append(request[0].split()[1].decode())
            if isinstance(fault, bytes):
                client.sendall(fault)
                return
            with socket.create_connection((self._target.hostname, self._target.port)) as server:
                server.sendall(b"".join(request))
                answer = server.makefile("rb")
                client.sendall(b"".join(_until_blank_line(answer)))
                for part in iter(lambda: answer.read1(), b"") if fault is None else islice(_chunks(answer), fault):
                    client.sendall(part)


def _until_blank_line(stream) -> list[bytes]:
    lines = []
    for line in stream:
        lines.append(line)
        if line == b"\r\n":
            break
    return lines


def _chunks(answer) -> Iterator[bytes]:
    """The chunks of an answer in chunked transfer coding (RFC 9112, section 7.1), as they are on the wire."""
    for size in answer:
        yield size + answer.read(int(size, 16) + 2)


@contextmanager
def faulty_proxy(server: str, *faults: int | bytes | None) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(server, list(faults))
    try:
        yield proxy
    finally:
        proxy.close()
