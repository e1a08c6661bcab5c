"""
Functions that are known to be pure: called at any time, they change nothing, and what they return depends on nothing
that a call changes. The bytecode decides, strictly: where it is not known, a function is not pure.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
from collections.abc import Iterator
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

_ABSENT = object()
_VALUES = (bool, int, float, complex, str, bytes, range, type(None))
_BUILTINS = frozenset(
    {"abs", "all", "any", "bool", "divmod", "enumerate", "filter", "float", "int", "isinstance", "len", "list", "map"}
    | {"max", "min", "pow", "range", "reversed", "round", "sorted", "str", "sum", "tuple", "zip"}
    | {"ArithmeticError", "NotImplementedError", "OverflowError", "TypeError", "ValueError", "ZeroDivisionError"}
)
_MODULES_IN_C = frozenset({"math", "cmath", "_bisect"})
_WRITES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "IMPORT_NAME", "LOAD_BUILD_CLASS"})


def is_pure(value: Any) -> bool:
    """
    Of a function, or a functools.partial of one, that reads only what cannot be changed in place (numbers, strings, and
    tuples of them), also as attributes of modules and other objects, and calls only its like and what computes. Of such
    a value itself, too. Never of callable objects and methods.
    """
    return _is_pure(value, set())


def _is_pure(value: Any, seen: set[int]) -> bool:
    """`seen`: ids of the functions that are looked into already, of which some call each other."""
    if type(value) is partial:
        return not vars(value) and _is_pure((value.func, *value.args, *value.keywords.values()), seen)
    if type(value) is FunctionType:
        if id(value) not in seen:
            seen.add(id(value))
            return _is_pure_function(value, seen)
        return True
    return _is_value(value, seen) or _computes(value)


def _is_value(value: Any, seen: set[int]) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(_is_pure(each, seen) for each in value)
    return isinstance(value, _VALUES)


def _computes(value: Any) -> bool:
    """Whether it is a function or class of Python's own, or a ufunc of numpy's, that only computes."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return False
    if name in _BUILTINS and value is getattr(builtins, name):
        return True
    if type(value) is BuiltinFunctionType:
        return value.__module__ in _MODULES_IN_C
    return type(value).__name__ == "ufunc" and value is getattr(sys.modules.get("numpy"), name, None)


def _is_pure_function(function: FunctionType, seen: set[int]) -> bool:
    code = function.__code__
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if vars(function) or not _is_pure(defaults, seen):
        return False
    closure = dict(zip(code.co_freevars, function.__closure__ or ()))
    for each in _codes(code):
        steps = [step for step in dis.get_instructions(each) if step.opname != "EXTENDED_ARG"]
        for at, step in enumerate(steps):
            is_outer = step.opname.endswith("_DEREF") and step.argval in closure
            if step.opname in _WRITES or (is_outer and not step.opname.startswith("LOAD")):
                return False
            if is_outer or step.opname == "LOAD_GLOBAL":
                found = _cell(closure[step.argval]) if is_outer else _global(function, step.argval)
                if not _is_pure(_attribute(found, steps[at + 1 :]), seen):
                    return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Itself and that of the functions inside."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned yet
        return _ABSENT


def _global(function: FunctionType, name: str) -> Any:
    return function.__globals__.get(name, getattr(builtins, name, _ABSENT))


def _attribute(value: Any, following: list[dis.Instruction]) -> Any:
    """What the instructions after it read from a value: `value.a.b`, without running code of its own; or absent."""
    for step in following:
        if isinstance(value, _VALUES) or step.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            break
        kind: Any = type(value)
        if kind is not ModuleType and kind.__getattribute__ is not object.__getattribute__:
            return _ABSENT
        owner, value = value, inspect.getattr_static(value, step.argval, _ABSENT)
        if callable(value) and not isinstance(owner, ModuleType):
            return _ABSENT  # a method reads and writes what its object has
    return value
