"""Fields of edits: checked against their types, into JSON and back."""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from typing import Any, Union, get_args, get_origin, get_type_hints

from redisops.edits.outcomes import Seen
from redisops.errors import InvalidArgument

_known: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The fields of an edit with their types."""
    if kind not in _known:
        told = get_type_hints(kind)
        _known[kind] = {field.name: told[field.name] for field in dataclasses.fields(kind)}
    return _known[kind]


def fits(hint: Any, value: Any) -> bool:
    """Whether the value is of the type, deeply; a bool is no int and an int is no float."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(part, value) for part in parts)
    if origin is typing.Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(parts) == 2 and parts[1] is Ellipsis:
            return all(fits(parts[0], part) for part in value)
        return len(value) == len(parts) and all(map(fits, parts, value))
    if hint is None or hint is type(None):
        return value is None
    return type(value) is hint


def plain(value: Any) -> Any:
    """A field as JSON takes it."""
    match value:
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case float():
            return {"float": repr(value)}
        case tuple():
            return [plain(part) for part in value]
        case Seen():
            names = ("length", "size", "digest", "offset", "data")
            return {"seen": {name: plain(getattr(value, name)) for name in names}}
    return value


def value_of(data: Any) -> Any:
    """The field that ``plain`` gave. Raises InvalidArgument for anything else."""
    try:
        match data:
            case {"base64": str(text)}:
                return base64.b64decode(text, validate=True)
            case {"float": str(text)}:
                return float(text)
            case {"seen": dict(parts)}:
                return Seen(**{str(name): value_of(part) for name, part in parts.items()})
            case list():
                return tuple(value_of(part) for part in data)
            case dict():
                raise InvalidArgument(f"{str(data)[:80]!r} is no part of an edit")
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"{str(data)[:80]!r} is no part of an edit: {error}") from None
    return data
