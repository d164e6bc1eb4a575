"""Edits of JSON documents (RedisJSON, Valkey JSON). Script: ``edit_json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from redisops.edits.edit import NOWHERE, Edit, Reply
from redisops.edits.outcomes import KEPT, Saved, Seen, Version, version
from redisops.errors import InvalidArgument

JSON = "ReJSON-RL"


@dataclass(frozen=True)
class _JsonEdit(Edit):
    """Keep the DUMP first: the server writes numbers its own way, an array closes its gaps, and a
    path may match several places. Where it led to one, ``Saved`` has an inverse as well."""

    type = JSON
    script = "edit_json"
    noun = "path"

    @property
    def needs_dump(self) -> bool:
        return True


@dataclass(frozen=True)
class SetJson(_JsonEdit):
    """Set a path of a document to ``text`` (JSON in UTF-8).

    ``seen`` is what JSON.GET answers for that same path, None where nothing is yet.
    """

    path: str
    text: bytes
    seen: Seen | None = None

    operation = "json.set"
    commands = ("EVALSHA", "JSON.SET")

    def check(self) -> None:
        check_path(self.path)
        check_json(self.text)

    def arguments(self) -> tuple[Any, ...]:
        guard = self.seen.arguments() if self.seen else NOWHERE
        return ("set", self.path.encode(), *guard, self.text)

    def saved(self, reply: Reply) -> Saved:
        before, now, places = version(reply[0]), reply[1], reply[2]
        inverse: Edit | None = None
        if now is not None and _is_single(self.path) and int(now[1]) <= KEPT:
            seen = Seen.of(now[0])
            old = _single(self.path, reply[0], places)
            if reply[0] is None:
                inverse = DeleteJson(self.key, self.path, seen)
            elif old is not None:
                inverse = SetJson(self.key, self.path, old, seen)
        note = "The document before is in its DUMP."
        return Saved(inverse, before, version(now) if now else Version.of(self.text), note)


@dataclass(frozen=True)
class DeleteJson(_JsonEdit):
    """Delete a path of a document; ``seen`` is what JSON.GET answers for it.

    The root deletes the key. The inverse is there for a member of an object; keep the DUMP first
    for anything else (``needs_dump``): an array closes the gap.
    """

    path: str
    seen: Seen

    operation = "json.delete"
    commands = ("EVALSHA", "JSON.DEL")

    def check(self) -> None:
        check_path(self.path)

    def arguments(self) -> tuple[Any, ...]:
        return ("delete", self.path.encode(), *self.seen.arguments())

    def saved(self, reply: Reply) -> Saved:
        old = _single(self.path, reply[0], reply[2])
        inverse = None
        in_array = self.path.endswith("]") and self.path[-2:] not in ("']", '"]')
        if old is not None and _is_single(self.path) and not in_array:
            inverse = SetJson(self.key, self.path, old)
        note = "The document before is in its DUMP."
        return Saved(inverse, version(reply[0]), Version(), note)


def _single(path: str, reply: list[Any] | None, places: int) -> bytes | None:
    """The text of the one value that a path matched; a ``$`` path answers with an array of them."""
    if reply is None or places != 1 or int(reply[1]) != len(reply[0]):
        return None
    text: bytes = reply[0]
    return text.strip()[1:-1] if path.startswith("$") else text


def _is_single(path: str) -> bool:
    """Whether a path leads to one place below the root, as far as its spelling tells."""
    return path not in ("$", ".") and not any(sign in path for sign in ("..", "*", "?", ":", ","))


def check_path(path: str) -> None:
    """Raise InvalidArgument for a path that cannot be one."""
    if not path or len(path) > 1024 or "\0" in path:
        raise InvalidArgument(f"path {path[:80]!r} must have from 1 to 1,024 characters")


def check_json(text: bytes) -> None:
    """Raise InvalidArgument for what is no JSON text. Numbers are not looked at: they are kept."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"this is no JSON: {str(error)[:160]}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
