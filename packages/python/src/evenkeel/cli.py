"""The command `evenkeel` of the Python package."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evenkeel._version import __version__
from evenkeel.delivery.sync import SyncedFile, sync_spool
from evenkeel.settings import DEFAULT_SERVER, DEFAULT_SPOOL, handshake, server_address, spool_folder
from evenkeel.wire.text import printable

# Of the program that `evenkeel_server` runs, those that need nothing else.
_SERVER_COMMANDS = ("serve", "demo", "import", "key", "rebuild", "replay", "runs", "stop", "train")
# A file, since on PyPI the name `evenkeel` belongs to an unrelated project.
_INSTALL_SERVER = f"pip install evenkeel_server-{__version__}-py3-none-any.whl"


class CommandError(Exception):
    """Ends the command with a sentence for a person."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in _SERVER_COMMANDS:
        return _run_server(given)
    options = _parser().parse_args(given)
    try:
        _sync(options)
    except (CommandError, ValueError) as error:
        print(f"evenkeel: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evenkeel",
        description="Watches language-model pre-training and warns before a run diverges.",
        epilog=f"The server, with {', '.join(_SERVER_COMMANDS[:-1])} and {_SERVER_COMMANDS[-1]}, is installed by: "
        f"{_INSTALL_SERVER}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    sync = commands.add_parser(
        "sync",
        help="send the steps that trainers left when they were killed or the server was unreachable",
        description="Sends the steps that trainers left in a spool folder when they were killed or the server was "
        "unreachable. A file is deleted once the server has acknowledged all of it; the exit status is 1 if one is "
        "kept. EVENKEEL_KEY holds the ingest key, if the server requires one.",
    )
    sync.add_argument(
        "dir", nargs="?", help=f"the spool, or the folder that it is in (EVENKEEL_SPOOL; default: {DEFAULT_SPOOL})"
    )
    sync.add_argument("--server", help=f"URL of the running server (EVENKEEL_SERVER; default: {DEFAULT_SERVER})")
    sync.add_argument("--json", action="store_true", help="print one JSON object for each file")
    return parser


def _run_server(arguments: list[str]) -> int:
    try:
        from evenkeel_server import main as serve
    except ModuleNotFoundError as error:
        if error.name != "evenkeel_server":
            raise
        print(f"evenkeel: {arguments[0]} needs the server. To install it: {_INSTALL_SERVER}", file=sys.stderr)
        return 1
    return serve(arguments)


def _sync(options: argparse.Namespace) -> None:
    folder = _folder(options.dir)
    server = server_address(options.server)
    files = []
    for file in sync_spool(folder, server, handshake(None)):
        files.append(file)
        if options.json:
            print(json.dumps(file.to_json()), flush=True)
        else:
            for line in _lines_of(file):
                print(printable(line), flush=True)
    if not options.json:
        print(_summary(folder, files, server))
    kept = sum(file.status == "kept" for file in files)
    if kept > 0:
        raise CommandError(f'{_count(kept, "file")} could not be sent and were kept; "evenkeel sync" can be repeated')


def _folder(given: str | None) -> Path:
    """The spool that is meant: the folder itself, or the one within a folder of checkpoints."""
    if given is None:
        folder = spool_folder(None)
        if folder is None:
            raise CommandError(f"the spool is switched off by EVENKEEL_SPOOL={os.environ.get('EVENKEEL_SPOOL')}")
        return folder
    if not Path(given).is_dir():
        raise CommandError(f"there is no folder {given}")
    within = Path(given) / DEFAULT_SPOOL
    return within if within.is_dir() else Path(given)


def _lines_of(file: SyncedFile) -> list[str]:
    run = file.run if file.attempt in (1, None) else f"{file.run}, attempt {file.attempt}"
    if file.status == "held":
        return [f"{run}: left alone, a living process holds {file.path}"]
    lines = [f"{run}: {_count(file.steps, 'step')} sent"]
    if file.lost > 0:
        lines.append(f"  {_count(file.lost, 'step')} lost, since the file was damaged")
    if file.refused > 0:
        lines.append(f"  {_count(file.refused, 'step')} refused by the server")
    for each in file.dropped:
        lines.append(f"  the server left {each.field} out of {_count(each.count, 'step')}: {each.reason}")
    if file.status == "kept":
        lines.append(f"  {file.path} is kept: {file.reason}")
    return lines


def _summary(folder: Path, files: list[SyncedFile], server: str) -> str:
    if not files:
        return f"There is nothing to send in {folder}."
    sent = sum(file.status == "sent" for file in files)
    steps = sum(file.steps for file in files)
    return f"{_count(sent, 'file')} of {len(files)} with {_count(steps, 'step')} sent to {server}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
