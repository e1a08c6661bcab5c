"""The commands that the server sends to a run."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

from evenkeel.wire.ack import Refusal
from evenkeel.wire.text import storable_reason, words_of

# Commands that may wait to be carried out or reported; further ones are refused, to be sent again later.
_MAX_OPEN = 100
# Ids of commands remembered, to be carried out once however often they arrive; the oldest are forgotten.
_MAX_REMEMBERED = 10_000
_KINDS = ("stop", "checkpoint", "reduce-lr")


@dataclass(frozen=True)
class Command:
    """What the server, or a person through it, asks of a run."""

    id: str
    run: str
    kind: str
    """`stop`, `checkpoint` or `reduce-lr`."""
    by: str | None
    """Who gave it: a rule, or a person."""
    reason: str
    factor: float | None = None
    """Of `reduce-lr` alone: what to multiply the learning rate of all parameter groups by, to the end of the run."""


CommandCallback = Callable[[Command], Optional[str]]
"""Carries a command out and returns a result in words, or None; raises where it cannot be done."""


@dataclass(frozen=True)
class Report:
    """The outcome of a command, as the protocol wants it."""

    run: str
    id: str
    result: str | None
    error: str | None

    def to_wire(self) -> dict[str, Any]:
        return {"run": self.run, "id": self.id, "result": self.result, "error": self.error}


@dataclass(frozen=True)
class Orders:
    """What every process of a distributed job is to do."""

    commands: tuple[Command, ...]
    stop: Command | None


class CommandDesk:
    """Takes the commands of a run. The thread that trains carries them out, each once and in order, when it asks."""

    def __init__(self, run: str, report: Callable[[Report], None]) -> None:
        self._run = run
        self._report = report
        self._callback: CommandCallback | None = None
        self._reports_itself = False
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._arrived: deque[Command] = deque()
        self._due: deque[Command] = deque()
        self._is_working = False
        self.stop: Command | None = None
        """The first command to stop, as soon as it has arrived."""
        self.due_stop: Command | None = None
        """The first command to stop that is due. In a distributed job it is so on every process at the same step."""

    def on_command(self, callback: CommandCallback, *, report: bool) -> None:
        self._callback = callback
        self._reports_itself = not report

    @property
    def has_callback(self) -> bool:
        return self._callback is not None

    def take(self, payload: object) -> Mapping[str, Any]:
        """The answer to what a server sent as a command. Never raises."""
        command = _parse(payload)
        refusal = command if isinstance(command, Refusal) else self._refusal(command)
        if refusal:
            return refusal.to_wire()
        if isinstance(command, Command) and command.id not in self._taken:
            self._remember(command.id)
            self._obey(command)
        return {"ok": True}

    def carry_out(self) -> None:
        """Carries out what is due, in the calling thread. Never raises."""
        if self._is_working:  # the callback logs
            return
        self._is_working = True
        try:
            while self._due and self._callback:
                self._run_callback(self._due.popleft(), self._callback)
        finally:
            self._is_working = False

    @property
    def is_asked(self) -> bool:
        """Whether something has arrived that is not due yet."""
        return bool(self._arrived) or (self.stop is not None and self.due_stop is None)

    def hand_out(self) -> Orders:
        """What has arrived, once; commands that come meanwhile are for the next time."""
        commands = []
        while self._arrived:
            commands.append(self._arrived.popleft())
        return Orders(tuple(commands), self.stop)

    def adopt(self, orders: Orders) -> None:
        """Makes due what this process, or the first of a distributed job, has handed out."""
        self._due.extend(orders.commands)
        self.due_stop = self.due_stop or orders.stop

    def decline(self, reason: str) -> None:
        """Reports what has arrived as failed, but for a stop, which becomes due."""
        orders = self.hand_out()
        stops = tuple(command for command in orders.commands if command.kind == "stop")
        for command in orders.commands:
            if command not in stops:
                self.report(command, None, reason)
        self.adopt(Orders(stops, orders.stop))

    def report(self, command: Command, result: str | None, error: str | None) -> None:
        text = None if result is None else storable_reason(result)
        problem = None if error is None else storable_reason(error)
        self._report(Report(self._run, command.id, text, problem))

    def _run_callback(self, command: Command, callback: CommandCallback) -> None:
        try:
            result = callback(command)
        except Exception as error:
            self.report(command, None, words_of(error))
            return
        if not self._reports_itself:
            self.report(command, result if isinstance(result, str) else None, None)

    def _refusal(self, command: Command) -> Refusal | None:
        if command.run != self._run:
            return Refusal(f"this is the emitter of run {self._run}", "run")
        if command.kind != "stop" and not self._callback:
            return Refusal(
                f"this trainer carries out no {command.kind}: it has not called run.on_command(callback)", "kind"
            )
        is_first_stop = command.kind == "stop" and self.stop is None  # always taken
        waiting = len(self._arrived) + len(self._due)
        if waiting >= _MAX_OPEN and not is_first_stop and command.id not in self._taken:
            return Refusal(f"{waiting} commands wait to be carried out: send it again later", "", retry=True)
        return None

    def _remember(self, id_: str) -> None:
        self._taken[id_] = None
        if len(self._taken) > _MAX_REMEMBERED:
            self._taken.popitem(last=False)

    def _obey(self, command: Command) -> None:
        if command.kind == "stop" and self.stop is None:
            self.stop = command
        if self._callback:
            self._arrived.append(command)


def _parse(payload: object) -> Command | Refusal:
    if not isinstance(payload, dict):
        return Refusal("expected an object")
    for field in ("id", "run", "kind", "reason"):
        if not isinstance(payload.get(field), str):
            return Refusal("expected a string", field)
    kind, by, factor = payload["kind"], payload.get("by"), payload.get("factor")
    if kind not in _KINDS:
        return Refusal(f"this trainer knows no command {storable_reason(kind)}", "kind")
    if kind == "reduce-lr" and not (isinstance(factor, (int, float)) and 1e-6 <= factor < 1):
        return Refusal("expected a number from 1e-6 on, below 1", "factor")
    return Command(
        id=payload["id"],
        run=payload["run"],
        kind=kind,
        by=by if isinstance(by, str) else None,
        reason=payload["reason"],
        factor=float(factor) if kind == "reduce-lr" and factor is not None else None,
    )
