"""Edits of streams: entries are added and deleted, never changed. Script: ``edit_stream``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from redisops.edits.edit import Edit, Reply
from redisops.edits.outcomes import SHOWN, Outcome, Refused, Saved, Version
from redisops.errors import InvalidArgument

_ID = re.compile(r"[0-9]{1,20}(-([0-9]{1,20}|\*))?")


@dataclass(frozen=True)
class AddEntry(Edit):
    """Add an entry of (name, value) pairs to a stream that exists.

    ``id`` is "*" (the server's clock), "1700000000000-0", or "1700000000000-*" for the next
    number of that millisecond (Redis 7). One at or below the last id that the stream ever had is
    Refused. ``Saved.after.data`` is the new id.
    """

    fields: tuple[tuple[bytes, bytes], ...]
    id: str = "*"

    operation = "stream.add"
    repeats = True
    type = "stream"
    script = "edit_stream"
    commands = ("EVALSHA", "XADD")
    noun = "entry"

    def check(self) -> None:
        if not 1 <= len(self.fields) <= 1000:
            raise InvalidArgument(f"{len(self.fields)} fields: an entry has from 1 to 1,000")
        if self.id != "*":
            check_id(self.id)

    def arguments(self) -> tuple[Any, ...]:
        return ("add", self.id, *(part for pair in self.fields for part in pair))

    def outcome(self, reply: Reply) -> Outcome:
        if reply[0] == b"low":
            last = reply[1].decode()
            return Refused(
                f"The id {self.id} is not above {last}, the last one of this stream: "
                "a stream only grows at its end.",
                instead='Leave the id to the server ("*").',
            )
        return super().outcome(reply)

    def saved(self, reply: Reply) -> Saved:
        if reply[0] is None:  # a dry run: nobody knows the id yet
            return Saved(None, Version(), _entry(self.id.encode(), self.fields))
        inverse = DeleteEntry(self.key, reply[0].decode())
        return Saved(
            inverse, Version(), _entry(reply[0], self.fields),
            "Undone, the entry goes; readers may have had it, and its id stays used.",
        )  # fmt: skip


@dataclass(frozen=True)
class DeleteEntry(Edit):
    """Delete the entry with this whole id. What an id holds never changes, so the id is the guard.

    It cannot be put back at its place: XADD takes only ids above the last one. ``Saved.before``
    has its fields, to add them again at the end.
    """

    id: str

    operation = "stream.delete"
    type = "stream"
    script = "edit_stream"
    commands = ("EVALSHA", "XDEL")
    noun = "entry"
    no_undo = "A deleted entry cannot come back at its place: a stream only grows at its end."

    def check(self) -> None:
        check_id(self.id)
        if "*" in self.id:
            raise InvalidArgument(f"{self.id!r} is not a whole stream id")

    def arguments(self) -> tuple[Any, ...]:
        return ("delete", self.id)

    def saved(self, reply: Reply) -> Saved:
        flat = reply[0]
        pairs = tuple(zip(flat[::2], flat[1::2], strict=False))
        return Saved(None, _entry(self.id.encode(), pairs), Version(), self.no_undo)


def check_id(id: str) -> None:
    """Raise InvalidArgument for what is no stream id."""
    if not _ID.fullmatch(id) or any(int(part) >= 2**64 for part in id.split("-") if part != "*"):
        raise InvalidArgument(f"{id[:80]!r} is no stream id, as 1700000000000-0")


def _entry(id: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> Version:
    """An entry as a version: its id, and its fields as far as 64 KiB go."""
    kept, room = [], SHOWN
    for name, value in fields:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((name, value))
    length = sum(len(name) + len(value) for name, value in fields)
    return Version(
        id, len(id) + length if len(kept) < len(fields) else len(id), "", "", tuple(kept)
    )
