"""Keeps what a callback raises out of the training that it watches."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar, cast

from evenkeel.warn import Warner
from evenkeel.wire.text import words_of

Hook = TypeVar("Hook", bound=Callable[..., Any])

warn = Warner()
"""Of all integrations of this process."""


def harmless(hook: Hook) -> Hook:
    """A hook that warns where it would raise, and then returns None."""

    @functools.wraps(hook)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            warn(f"{hook.__qualname__} failed: {words_of(error)}", hook.__qualname__)
            return None

    return cast("Hook", call)
