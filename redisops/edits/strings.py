"""Edits of strings: the whole value, its end, one bit, a HyperLogLog. Script: ``edit_string``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from redisops.edits.edit import LONGEST, Edit, Reply
from redisops.edits.outcomes import SHOWN, Saved, Seen, Version, version
from redisops.errors import InvalidArgument


@dataclass(frozen=True)
class SetString(Edit):
    """Replace the whole string. It keeps its expiry unless ``keep_ttl`` is False.

    O(1) but for the bytes sent and ``seen.size`` bytes hashed. The old value can be of any size,
    so there is no inverse: keep the DUMP first.
    """

    value: bytes
    seen: Seen
    keep_ttl: bool = True

    operation = "string.set"
    type = "string"
    script = "edit_string"
    commands = ("EVALSHA", "SET")

    @property
    def needs_dump(self) -> bool:
        return True

    @property
    def intended(self) -> Version:
        return Version.of(self.value)

    def arguments(self) -> tuple[Any, ...]:
        return ("set", *self.seen.arguments(), self.value, int(self.keep_ttl))

    def saved(self, reply: Reply) -> Saved:
        return Saved(None, version(reply[0]), self.intended, "The old value is in its DUMP.")


@dataclass(frozen=True)
class AppendString(Edit):
    """Add bytes to the end. The inverse cuts them off again."""

    value: bytes
    seen: Seen

    operation = "string.append"
    type = "string"
    script = "edit_string"
    commands = ("EVALSHA", "APPEND")

    @property
    def intended(self) -> Version:
        whole = self.seen.data if self.seen.data is not None else b""
        return Version.of(whole + self.value if len(whole) == self.seen.length else None)

    def arguments(self) -> tuple[Any, ...]:
        return ("append", *self.seen.arguments(), self.value)

    def saved(self, reply: Reply) -> Saved:
        before = version(reply[0])
        after = version(reply[1]) if reply[1] else self.intended
        tail = Seen.of(self.value, before.length + len(self.value), before.length)
        return Saved(CutString(self.key, before.length, tail), before, after)


@dataclass(frozen=True)
class CutString(Edit):
    """Cut the string after ``length`` bytes: the inverse of an append and of a far bit.

    ``seen`` is the end that goes. The server copies what stays, so it costs O(length).
    """

    length: int
    seen: Seen

    operation = "string.cut"
    type = "string"
    script = "edit_string"
    commands = ("EVALSHA", "SET")
    no_undo = "What was cut off is not kept."

    def check(self) -> None:
        if not 0 <= self.length <= LONGEST:
            raise InvalidArgument(f"length {self.length} must be from 0 to {LONGEST}")

    def arguments(self) -> tuple[Any, ...]:
        return ("cut", *self.seen.arguments(), self.length)

    def saved(self, reply: Reply) -> Saved:
        inverse = None
        if self.seen.data is not None and self.seen.size == len(self.seen.data):
            whole = (
                self.seen.offset == self.length and self.seen.size == self.seen.length - self.length
            )
            after = reply[1]
            if whole and after and int(after[1]) <= SHOWN:
                inverse = AppendString(self.key, self.seen.data, Seen.of(after[0]))
        return Saved(inverse, version(reply[0]), version(reply[1]), "" if inverse else self.no_undo)


@dataclass(frozen=True)
class SetBit(Edit):
    """Set bit ``offset`` (0 is the highest of byte 0) to 0 or 1; ``seen`` is what it was.

    A bit beyond the end makes the string longer, by at most 1 MiB.
    """

    offset: int
    bit: Literal[0, 1]
    seen: Literal[0, 1]

    operation = "bitmap.set"
    type = "string"
    script = "edit_bit"
    commands = ("EVALSHA", "SETBIT")
    noun = "bit"

    def check(self) -> None:
        if not 0 <= self.offset < 2**32:
            raise InvalidArgument(f"offset {self.offset} must be from 0 to {2**32 - 1}")

    @property
    def was(self) -> Version:
        return Version.of(b"%d" % self.seen)

    @property
    def intended(self) -> Version:
        return Version.of(b"%d" % self.bit)

    def arguments(self) -> tuple[Any, ...]:
        return (self.offset, self.bit, self.seen)

    def saved(self, reply: Reply) -> Saved:
        old, new = reply
        inverse: Edit = SetBit(self.key, self.offset, self.seen, self.bit)
        if new > old:
            grown = bytearray(new - old)
            grown[self.offset // 8 - old] = self.bit << (7 - self.offset % 8)
            inverse = CutString(self.key, old, Seen.of(bytes(grown), new, old))
        return Saved(inverse, self.was, self.intended)


@dataclass(frozen=True)
class AddToHyperLogLog(Edit):
    """Count more elements in a HyperLogLog (PFADD). It cannot forget, so keep the DUMP first."""

    elements: tuple[bytes, ...]

    operation = "hyperloglog.add"
    repeats = True
    type = "string"
    script = "edit_hyperloglog"
    commands = ("EVALSHA", "PFADD")

    def check(self) -> None:
        if not 1 <= len(self.elements) <= 1000:
            raise InvalidArgument(f"{len(self.elements)} elements: give from 1 to 1,000 at a time")

    @property
    def needs_dump(self) -> bool:
        return True

    def arguments(self) -> tuple[Any, ...]:
        return self.elements

    def saved(self, reply: Reply) -> Saved:
        before, after = (Version.of(b"%d" % count) for count in reply)
        return Saved(None, before, after, "The state before is in its DUMP.")
