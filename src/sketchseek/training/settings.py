"""Read settings from YAML or JSON into checked, frozen dataclasses, and word the errors.

Pydantic checks types, names and ranges. An unknown key is an error, so that a misspelled setting is not ignored.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Strict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sketchseek.errors import ConfigError

T = TypeVar("T")

SETTINGS = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Pydantic configuration of every class of settings."""


def _float(value: Any) -> Any:
    """The number in ``1e-3``, which YAML reads as a string."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


Bool = Annotated[bool, Strict()]
Int = Annotated[int, Strict()]
Float = Annotated[float, Strict(), BeforeValidator(_float)]

_NEEDED = {
    "int_type": "int is needed",
    "float_type": "float is needed",
    "bool_type": "bool is needed",
    "string_type": "str is needed",
    "list_type": "a list is needed",
    "dict_type": "a mapping is needed",
    "dataclass_type": "a mapping of settings is needed",
}


def load_settings(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        ConfigError: The file is missing or is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no such experiment file.", subject=path) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot be read ({error}).", subject=path) from error


def check_settings(kind: type[T], data: Any, where: str) -> T:
    """Make an instance of a class of settings from what YAML or JSON gives.

    Args:
        kind: A pydantic dataclass.
        data: Mappings, lists and plain values.
        where: The name of the whole in error messages.

    Raises:
        ConfigError: A key is unknown or missing, or a value has a wrong type or is out of range.
    """
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        problems = [_problem(kind, each, where) for each in error.errors(include_url=False)]
        remedies = dict.fromkeys(remedy for _, remedy in problems if remedy)
        raise ConfigError(" ".join(text for text, _ in problems), remedy=" ".join(remedies)) from error


def _problem(kind: type, error: ErrorDetails, where: str) -> tuple[str, str]:
    """What is wrong with one setting, and what to do about it."""
    loc, value, name = error["loc"], error["input"], error["type"]
    parent, last = _path(where, loc[:-1]), loc[-1] if loc else where
    if name == "missing":
        return f"{parent}: {last} is missing.", ""
    if name == "unexpected_keyword_argument":
        known = ", ".join(item.name for item in dataclasses.fields(_hint(kind, loc[:-1])))
        return f"{parent}: unknown setting {last}.", f"Known: {known}."
    path = _path(where, loc)
    if name in _NEEDED:
        return f"{path}: {_NEEDED[name]}, not {value!r}.", ""
    if name == "literal_error":
        return f"{path}: {value!r} is not one of {error['ctx']['expected']}.", ""
    allowed = _range(_hint(kind, loc))
    if allowed:
        return f"{path}: {value!r} is out of range; it must {allowed}.", ""
    return f"{path}: {value!r}: {error['msg']}.", ""


def _path(where: str, loc: tuple[int | str, ...]) -> str:
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _hint(kind: Any, loc: tuple[int | str, ...]) -> Any:
    """The annotation of the setting at a location; None inside a free-form mapping."""
    for part in loc:
        if isinstance(part, int):
            kind = typing.get_args(kind)[0]
        elif dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind, include_extras=True)[part]
        else:
            return None
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            kind = next(each for each in typing.get_args(kind) if each is not type(None))
    return kind


def bounds_of(hint: Any) -> dict[str, str]:
    """The bounds of a number by ``gt``, ``ge``, ``lt`` and ``le``, as its annotation gives them."""
    parts = [
        part for each in getattr(hint, "__metadata__", ()) if isinstance(each, FieldInfo) for part in each.metadata
    ]
    return {
        name: f"{getattr(part, name):g}"
        for part in parts
        for name in ("gt", "ge", "lt", "le")
        if getattr(part, name, None) is not None
    }


def _range(hint: Any) -> str:
    """The allowed range of a number in words; empty where there is none."""
    bounds = bounds_of(hint)
    if bounds.keys() == {"ge", "le"}:
        return f"be between {bounds['ge']} and {bounds['le']}"
    if bounds.keys() == {"ge", "lt"}:
        return f"be between {bounds['ge']} and {bounds['lt']}, and below {bounds['lt']}"
    if bounds == {"ge": "0"}:
        return "not be negative: at least 0"
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return "be " + " and ".join(f"{words[name]} {bound}" for name, bound in bounds.items()) if bounds else ""
