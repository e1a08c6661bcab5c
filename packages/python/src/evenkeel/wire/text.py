"""Text that every part of Evenkeel can store, and that a terminal may show."""

from __future__ import annotations

import re
import unicodedata

from evenkeel.wire.limits import MAX_REASON_LENGTH

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text has neither NUL nor half a surrogate pair, which PostgreSQL does not store."""
    return _UNSTORABLE.search(text) is None


def storable_text(text: str, max_length: int) -> str:
    """What can be stored of any text, at most so long."""
    return _UNSTORABLE.sub("\ufffd", text[:max_length])


def storable_reason(reason: str) -> str:
    """What can be stored of a reason, which is often an error's long text."""
    return storable_text(reason, MAX_REASON_LENGTH)


def words_of(error: object) -> str:
    """An exception in words, with its type as Python prints it; it may itself be unprintable."""
    try:
        name, text = type(error).__name__, str(error)
        return storable_reason(f"{name}: {text}" if text else name)
    except Exception:
        return "it failed, and could not say why"


def printable(text: str) -> str:
    """Text from elsewhere as a terminal may show it: on one line, with control characters escaped."""
    return "".join(_escape(each) if _is_control(each) else each for each in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
