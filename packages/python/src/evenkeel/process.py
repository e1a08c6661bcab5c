"""The end of the process, which is not lost on a run; and children of the process, which are not part of it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from _sitebuiltins import Quitter
from types import FrameType, TracebackType
from typing import Any, Callable, Protocol

from evenkeel.wire.text import words_of


class OpenRun(Protocol):
    """A run that the end of the process may end."""

    def end_with_process(self, status: str, reason: str | None, timeout: float) -> None:
        """Ends the run, within so many seconds. Never raises."""

    def hurry(self, timeout: float) -> bool:
        """Whether the run is being ended right now; it then takes so many seconds more at most."""

    def forsake(self) -> None:
        """This is a child of the process that started the run: nothing of the run works here."""


# Seconds that the end of the process waits for the server, and those that a signal does.
_EXIT_TIMEOUT = 10.0
_SIGNAL_TIMEOUT = 2.0

_runs: list[OpenRun] = []
_is_installed = False
# How the process ends, where not by coming to its end.
_failure: tuple[str, str] | None = None
_pending_signal: int | None = None


def watch_process(run: OpenRun) -> None:
    """From now on until it is removed, the end of the process ends the run."""
    _runs.append(run)
    _install()


def unwatch_process(run: OpenRun) -> None:
    if run in _runs:
        _runs.remove(run)
    if _pending_signal is not None and not _runs:
        _die(_pending_signal)


def forget_exit() -> None:
    """The process goes on: what was to end it was caught."""
    global _failure
    if _failure is not None and threading.main_thread().is_alive():
        _failure = None


def describe_exit(error: BaseException) -> tuple[str, str | None]:
    """How a run ends that an exception ends: its status and reason."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "SIGINT"
    if isinstance(error, SystemExit):
        return _describe_code(error.code)
    return "failed", words_of(error)


def _describe_code(code: object) -> tuple[str, str | None]:
    if code is None or code == 0:
        return "finished", None
    return "failed", f"the process exited with status {code}" if isinstance(code, int) else words_of(SystemExit(code))


def _install() -> None:
    global _is_installed
    if _is_installed:
        return
    _is_installed = True
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    _wrap_excepthook()
    _wrap_exit()
    # A handler changes what the signal does, so it is installed only where the signal would end the process at once.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_signal)


def _wrap_excepthook() -> None:
    """An exception that nobody catches ends the runs; what was to happen then happens all the same."""
    former = sys.excepthook

    def hook(type_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        global _failure
        status, reason = describe_exit(error)
        _failure = (status, reason or "")
        former(type_, error, trace)

    sys.excepthook = hook


def _wrap_exit() -> None:
    """The status of `sys.exit` and `exit`, of which nothing is said when the process ends.

    That of a SystemExit which the program raises itself cannot be known.
    """
    former: Callable[[Any], Any] = sys.exit
    quit_: Callable[[Any, Any], Any] = Quitter.__call__  # of `exit` and `quit`

    def leave(code: Any = None, /) -> Any:
        _note_exit(code)
        former(code)

    def call(self: Quitter, code: Any = None) -> Any:
        _note_exit(code)
        quit_(self, code)

    sys.exit = leave
    Quitter.__call__ = call  # type: ignore[method-assign]


def _note_exit(code: object) -> None:
    global _failure
    status, reason = _describe_code(code)
    if threading.current_thread() is threading.main_thread():  # elsewhere it ends that thread alone
        _failure = (status, reason or "") if status == "failed" else None


def _at_exit() -> None:
    status, reason = _failure or ("finished", "")
    for run in list(_runs):
        run.end_with_process(status, reason or None, _EXIT_TIMEOUT)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    global _pending_signal
    if signal.getsignal(number) is not _on_signal:
        return  # a later handler calls this one too, such as Lightning's: it is in charge of what the signal does
    is_second, _pending_signal = _pending_signal is not None, number
    if is_second:  # a second signal waits for nothing
        _die(number)
    for run in list(_runs):
        if not run.hurry(_SIGNAL_TIMEOUT):
            run.end_with_process("stopped", signal.Signals(number).name, _SIGNAL_TIMEOUT)
    if not _runs:
        _die(number)


def _die(number: int) -> None:
    """Ends the process by the signal, as if nobody had listened."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _in_child() -> None:
    global _failure
    for run in _runs:
        run.forsake()
    _runs.clear()
    _failure = None
    if signal.getsignal(signal.SIGTERM) is _on_signal:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
