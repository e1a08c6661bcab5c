"""One connection to the server, from the handshake until it breaks."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import urlsplit

import socketio
import socketio.exceptions

from evenkeel.wire.ack import Ack, Refusal, parse_ack, parse_refusal
from evenkeel.wire.text import printable, storable_reason

_NAMESPACE = "/ingest"
# Seconds that opening a connection may take.
_CONNECT_TIMEOUT = 10.0
# Seconds without an answer after which a connection is given up, though the server answers pings. A message is never
# sent twice on one connection: it would only wait behind its first copy.
_ANSWER_TIMEOUT = 120.0
# Seconds between two looks at whether the connection is still there.
_LOOK = 1.0

# What the library logs is said in this package's own warnings.
_SILENT = logging.getLogger("evenkeel.socketio")
_SILENT.setLevel(logging.CRITICAL + 1)
_SILENT.propagate = False

CommandHandler = Callable[[object], Mapping[str, Any]]


@dataclass(frozen=True)
class Away:
    """The server cannot be reached, in words."""

    reason: str
    is_final: bool = False
    """Whether it never can be from this process, which is ending."""


class Line:
    """A connection. Whatever happens to it is announced by `changed`, on which every waiting thread waits."""

    def __init__(
        self, server: str, handshake: Mapping[str, Any], on_command: CommandHandler, changed: threading.Condition
    ) -> None:
        self._server = server
        self._handshake = handshake
        self._on_command = on_command
        self._changed = changed
        self._sending = threading.RLock()
        self._refusal: Refusal | None = None
        self._was_closed = False
        self._has_no_threads = False
        self._client = socketio.Client(
            reconnection=False,
            handle_sigint=False,
            request_timeout=_CONNECT_TIMEOUT,
            logger=_SILENT,
            engineio_logger=_SILENT,
        )
        self._client.on("connect_error", self._on_refused, namespace=_NAMESPACE)
        self._client.on("disconnect", self._on_disconnect, namespace=_NAMESPACE)
        self._client.on("command", self._answer_command, namespace=_NAMESPACE)
        self._receive_in_order()

    def open(self) -> Refusal | Away | None:
        """Connects; None where that succeeded."""
        path = urlsplit(self._server).path.strip("/")
        try:
            self._client.connect(
                self._server,
                auth=dict(self._handshake),
                namespaces=[_NAMESPACE],
                transports=["websocket"],
                socketio_path=f"{path}/socket.io" if path else "socket.io",
                wait_timeout=_CONNECT_TIMEOUT,
            )
        except Exception as error:  # also of what the library does not expect, such as a server of another kind
            return self._refusal or Away(_cause(error), self._has_no_threads)
        return None if self.is_open else Away("the connection broke at once")

    @property
    def is_open(self) -> bool:
        return not self._was_closed and self._client.connected and self._client.eio.state == "connected"

    def request(self, event: str, payload: object) -> Ack | None:
        """The answer to a message; None where the connection broke before."""
        answers: list[object] = []

        def on_answer(*arguments: object) -> None:
            with self._changed:
                answers.append(arguments[0] if arguments else None)
                self._changed.notify_all()

        try:
            with self._sending:
                self._client.emit(event, payload, namespace=_NAMESPACE, callback=on_answer)
        except socketio.exceptions.SocketIOError:
            return None
        if self._wait_for(answers):
            return parse_ack(answers[0])
        self.close()
        return None

    def close(self) -> None:
        """Hangs up, without waiting for what is under way."""
        self._was_closed = True
        try:
            # Closing waits for the thread that reads, and that one for the server, which may be silent.
            if self._client.eio.ws:
                self._client.eio.ws.sock.shutdown(socket.SHUT_RDWR)
        except Exception as error:  # of a connection that has just broken
            _SILENT.debug("while shutting the socket down: %s", error)
        try:
            self._client.eio.disconnect(abort=True)
        except Exception as error:  # of a connection that has just broken
            _SILENT.debug("while hanging up: %s", error)
        with self._changed:
            self._changed.notify_all()

    def _wait_for(self, answers: list[object]) -> bool:
        """Whether an answer comes while the connection lasts."""
        waited = 0.0
        with self._changed:
            while not answers and self.is_open and waited < _ANSWER_TIMEOUT:
                self._changed.wait_for(lambda: answers or not self.is_open, _LOOK)
                waited += _LOOK
        return bool(answers)

    def _receive_in_order(self) -> None:
        """Handles messages where they are read.

        The library starts a thread for each, so that two commands could overtake one another; and since Python 3.12 no
        thread can be started while the interpreter exits, which is when the last acknowledgements come.
        """
        engine = self._client.eio
        start = engine.start_background_task

        def start_or_handle(target: Callable[..., object], *args: Any, **kwargs: Any) -> object:
            is_event = args and isinstance(args[0], str) and args[0][:1] in ("2", "3")  # an event or an ack
            if target is not engine.handlers.get("message") or not is_event:
                return self._start_thread(start, target, *args, **kwargs)
            try:
                with self._sending:  # the answer to a command must not come between the two parts of a frame
                    return target(*args, **kwargs)
            except Exception as error:  # of a message that cannot be read
                _SILENT.debug("unreadable message: %s", error)
                return None

        engine.start_background_task = start_or_handle

    def _start_thread(self, start: Callable[..., object], *args: Any, **kwargs: Any) -> object:
        try:
            return start(*args, **kwargs)
        except RuntimeError:
            self._has_no_threads = not threading.main_thread().is_alive()
            raise

    def _on_refused(self, data: object = None) -> None:
        if not isinstance(data, dict):
            return
        message = data.get("message")
        self._refusal = parse_refusal(data.get("data"))
        if self._refusal is None and isinstance(message, str) and "code" not in data:
            self._refusal = Refusal(message)

    def _on_disconnect(self, *_reason: object) -> None:
        with self._changed:
            self._changed.notify_all()

    def _answer_command(self, payload: object = None, *_rest: object) -> Mapping[str, Any]:
        return self._on_command(payload)


def _cause(error: BaseException) -> str:
    """The innermost cause in words: the library says no more than "Connection error"."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return printable(storable_reason(str(error) or type(error).__name__))
