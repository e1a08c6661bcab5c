"""A run's configuration and summary, as mappings that a script reads and changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Callable

from evenkeel import values


class Config(MutableMapping[str, Any]):
    """A run's configuration. Keys are attributes too; what is set later is sent to the server."""

    _given: dict[str, Any]
    _on_change: Callable[[Mapping[str, Any]], None]

    def __init__(self, given: Mapping[str, Any], on_change: Callable[[Mapping[str, Any]], None]) -> None:
        object.__setattr__(self, "_given", dict(given))
        object.__setattr__(self, "_on_change", on_change)

    def __getitem__(self, key: str) -> Any:
        return self._given[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._change({key: value})

    def __delitem__(self, key: str) -> None:
        raise TypeError("keys of a run's configuration cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._given:
            raise AttributeError(f"the configuration has no {key}")
        return self._given[key]

    def __setattr__(self, key: str, value: Any) -> None:
        self._change({key: value})

    def __repr__(self) -> str:
        return repr(self._given)

    def as_dict(self) -> dict[str, Any]:
        """A copy of it."""
        return dict(self._given)

    def update(self, given: Any = (), /, allow_val_change: bool = True, **more: Any) -> None:
        """Adds keys of a mapping, a namespace or keyword arguments. Values may always change."""
        is_namespace = not isinstance(given, Mapping) and hasattr(given, "__dict__")
        self._change({**dict(vars(given) if is_namespace else given), **more})

    def _change(self, changes: Mapping[str, Any]) -> None:
        self._given.update(changes)
        self._on_change(changes)


class Summary(MutableMapping[str, Any]):
    """The last value of everything that was logged, and what a script puts beside it."""

    def __init__(self) -> None:
        self._logged: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        """What the script has set."""

    def note(self, logged: Mapping[str, Any]) -> None:
        """Keeps frozen values that were logged."""
        self._logged.update(logged)

    def __getitem__(self, key: str) -> Any:
        return self.own[key] if key in self.own else values.read(self._logged[key])

    def __setitem__(self, key: str, value: Any) -> None:
        self.own[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._logged.pop(key, None)
        self.own.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._logged, **self.own})

    def __len__(self) -> int:
        return len({**self._logged, **self.own})

    def __repr__(self) -> str:
        return repr({key: self[key] for key in self})
