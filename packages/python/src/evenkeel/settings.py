"""What a run is started with, from arguments and the environment."""

from __future__ import annotations

import math
import os
import re
import secrets
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union
from urllib.parse import urlsplit

from evenkeel._version import __version__
from evenkeel.wire.config import as_mapping, to_config
from evenkeel.wire.limits import (
    MAX_ATTEMPT,
    MAX_NAME_LENGTH,
    MAX_NOTES_LENGTH,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    PROTOCOL_VERSION,
)
from evenkeel.wire.text import is_storable

DEFAULT_SERVER = "http://127.0.0.1:4870"
DEFAULT_PROJECT = "uncategorized"
DEFAULT_SPOOL = Path(".evenkeel") / "spool"
MODES = ("online", "offline", "disabled")
_SEVERITIES = ("warning", "critical")
_REACTIONS = ("observe", "checkpoint", "stop", "reduce-lr")

Reaction = Union[str, Mapping[str, Any]]
Policy = Mapping[str, Reaction]
"""By severity, `warning` or `critical`: `"observe"`, `"checkpoint"`, `"stop"` or
`{"kind": "reduce-lr", "factor": 0.5}`."""


@dataclass(frozen=True)
class Settings:
    """What a run is started with; all of it is valid."""

    server: str = field(repr=False)
    """May have a password in it, as the handshake has the ingest key."""
    handshake: dict[str, Any] = field(repr=False)
    start: dict[str, Any]
    """`run:start`, but for the names of the layers."""
    config: Mapping[Any, Any]
    """The configuration as it was given."""
    mode: str
    folder: Path | None
    """Of the spool; None for none."""
    console: bool
    """Whether console output is sent."""
    system_metrics: bool
    """Whether the machine is measured."""


def read_settings(
    *,
    project: str | None,
    name: str | None,
    config: object,
    tags: Sequence[str],
    notes: str,
    owner: str | None,
    id: str | None,
    resume: bool | int | str | None,
    server: str | None,
    key: str | None,
    mode: str,
    policy: Policy | None,
    dir: str | os.PathLike[str] | None,
    spool: str | os.PathLike[str] | bool | None,
    console: bool,
    system_metrics: bool,
) -> Settings:
    """Reads the arguments of `init`.

    Raises:
        ValueError: names the argument that is wrong.
    """
    if mode not in MODES:
        raise ValueError(f"mode: must be one of {', '.join(MODES)}")
    run = _run_id(id)
    start = {
        "run": run,
        "attempt": _attempt(resume, id),
        "session": str(uuid.uuid4()),  # so that a reconnection, or who sends the spool, opens no other attempt
        "startedAt": math.floor(time.time() * 1000),
        "project": _name("project", DEFAULT_PROJECT if project is None else project),
        "name": _name("name", _default_name(run) if name is None else name),
        "config": {} if config is None else to_config(config),
        "owner": None if owner is None else _name("owner", owner),
        "tags": check_tags(tags),
        "notes": check_notes(notes),
        "policy": _policy(policy or {}),
    }
    folder = spool_folder(spool, dir)
    if mode == "offline" and folder is None:
        raise ValueError('spool: mode="offline" records into a spool alone, so there must be one')
    return Settings(
        server=server_address(server),
        handshake=handshake(key),
        start=start,
        config=as_mapping(config) or {},
        mode=mode,
        folder=folder,
        console=console,
        system_metrics=system_metrics,
    )


def server_address(server: str | None) -> str:
    """The server's address: as given, else as EVENKEEL_SERVER says, else this machine's."""
    address = server or os.environ.get("EVENKEEL_SERVER") or DEFAULT_SERVER
    parts = urlsplit(str(address))
    try:
        is_address = re.fullmatch(r"(http|ws)s?", parts.scheme) and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError(f"server: must be an address such as {DEFAULT_SERVER}")
    return str(address)


def public_address(server: str) -> str:
    """A server's address without a user and a password."""
    parts = urlsplit(server)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def handshake(key: str | None) -> dict[str, Any]:
    """What a client presents when it connects; the key is as given, else as EVENKEEL_KEY says."""
    key = key or os.environ.get("EVENKEEL_KEY") or None
    if key is not None and len(key) > MAX_NAME_LENGTH:
        raise ValueError("key: is too long for an ingest key")
    about = {"protocol": PROTOCOL_VERSION, "client": f"evenkeel-python/{__version__}"}
    return about if key is None else {**about, "key": key}


def spool_folder(spool: str | os.PathLike[str] | bool | None, dir: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder of the spool: as given, else in `dir`, else as EVENKEEL_SPOOL says, else `.evenkeel/spool`."""
    if spool is False or spool == "false":
        return None
    if spool is not None and spool is not True:
        return Path(spool).absolute()
    if dir is not None:
        return (Path(dir) / DEFAULT_SPOOL).absolute()
    variable = os.environ.get("EVENKEEL_SPOOL")
    return spool_folder(variable) if variable else DEFAULT_SPOOL.absolute()


def check_tags(tags: Sequence[str]) -> list[str]:
    """Raises a ValueError where a server would not take these tags."""
    if isinstance(tags, str) or len(tags) > MAX_TAGS:
        raise ValueError(f"tags: must be a list of at most {MAX_TAGS}")
    for tag in tags:
        if not (isinstance(tag, str) and 1 <= len(tag) <= MAX_TAG_LENGTH and is_storable(tag)):
            raise ValueError(f"tags: each must be a text of 1 to {MAX_TAG_LENGTH} characters")
    return list(tags)


def check_notes(notes: str) -> str:
    """Raises a ValueError where a server would not take these notes."""
    if not (isinstance(notes, str) and len(notes) <= MAX_NOTES_LENGTH and is_storable(notes)):
        raise ValueError(f"notes: must be a text of at most {MAX_NOTES_LENGTH} characters")
    return notes


def check_name(name: str) -> str:
    """Raises a ValueError where a server would not take this name of a run."""
    return _name("name", name)


def _name(field: str, value: str) -> str:
    if isinstance(value, str) and 1 <= len(value) <= MAX_NAME_LENGTH and is_storable(value):
        return value
    raise ValueError(f"{field}: must be a text of 1 to {MAX_NAME_LENGTH} characters")


def _run_id(given: str | None) -> str:
    if given is None:
        return new_id()
    try:
        return str(uuid.UUID(given))
    except (ValueError, AttributeError, TypeError):
        raise ValueError("id: must be a UUID, such as the `id` of the run that goes on") from None


def new_id() -> str:
    """An id for a run: a UUID of version 7 (RFC 9562, section 5.7), so that ids sort by age."""
    now = time.time_ns() // 1_000_000
    number = (now << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=number))


def _attempt(resume: bool | int | str | None, id: str | None) -> int | str:
    if resume is None or resume is False:
        return 1
    if id is None:
        raise ValueError("resume: needs `id`, the id of the run that goes on")
    if resume is True:
        return "next"
    if resume in ("next", "resume"):
        return resume
    if isinstance(resume, int) and 1 <= resume <= MAX_ATTEMPT:
        return resume
    raise ValueError('resume: must be True or "next", "resume", or the number of the attempt')


def _default_name(run: str) -> str:
    script = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else "run"
    return f"{script[:100]}-{run[-4:]}"


def _policy(policy: Policy) -> dict[str, Any]:
    for severity in policy:
        if severity not in _SEVERITIES:
            raise ValueError(f"policy: knows {' and '.join(_SEVERITIES)}, not {severity}")
    return {severity: _reaction(severity, policy.get(severity, "observe")) for severity in _SEVERITIES}


def _reaction(severity: str, given: Reaction) -> dict[str, Any]:
    reaction = {"kind": given} if isinstance(given, str) else dict(given)
    kind, factor = reaction.get("kind"), reaction.get("factor")
    if kind not in _REACTIONS:
        raise ValueError(f"policy: {severity}: must be one of {', '.join(_REACTIONS)}")
    if kind != "reduce-lr":
        return {"kind": kind}
    if not isinstance(factor, (int, float)) or not 1e-6 <= factor < 1:
        raise ValueError(f"policy: {severity}: factor: must be a number from 1e-6 on, below 1")
    return {"kind": kind, "factor": float(factor)}
