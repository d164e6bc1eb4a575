"""Edits of lists: elements by index, guarded by the element seen there. Script: ``edit_list``.

An index counts from 0 at the head, or from -1 at the tail. Near the ends an edit costs the same
for any length; in the middle the server walks there from the nearer end.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Literal

from redisops.edits.edit import NOWHERE, Edit, Reply, check_times
from redisops.edits.hashes import after
from redisops.edits.outcomes import KEPT, Saved, Seen, Version, version


@dataclass(frozen=True)
class _ListEdit(Edit):
    type = "list"
    script = "edit_list"
    noun = "element"


@dataclass(frozen=True)
class PushElement(_ListEdit):
    """Put an element at the ``end`` "head" or "tail" of a list that exists."""

    value: bytes
    end: Literal["head", "tail"] = "tail"

    operation = "list.push"
    repeats = True
    commands = ("EVALSHA", "RPUSH")

    def arguments(self) -> tuple[Any, ...]:
        return (self.end, 0, *NOWHERE, self.value)

    def saved(self, reply: Reply) -> Saved:
        index = 0 if self.end == "head" else reply[1]
        inverse = RemoveElement(self.key, index, Seen.of(self.value))
        return Saved(inverse, Version(), Version.of(self.value))


@dataclass(frozen=True)
class SetElement(_ListEdit):
    """Replace the element at ``index``, which is ``seen``."""

    index: int
    value: bytes
    seen: Seen

    operation = "list.set"
    commands = ("EVALSHA", "LSET")

    @property
    def needs_dump(self) -> bool:
        """True only when the old element is above 1 MiB: too much for an inverse."""
        return self.seen.length > KEPT

    @property
    def intended(self) -> Version:
        return Version.of(self.value)

    def arguments(self) -> tuple[Any, ...]:
        return ("set", self.index, *self.seen.arguments(), self.value)

    def saved(self, reply: Reply) -> Saved:
        before, inverse = version(reply[0]), None
        if before.length <= KEPT:
            inverse = SetElement(self.key, reply[1], reply[0][0], Seen.of(self.value))
        return Saved(inverse, before, self.intended)


@dataclass(frozen=True)
class RemoveElement(_ListEdit):
    """Remove the element at ``index``, which is ``seen``. The key goes with its last element."""

    index: int
    seen: Seen

    operation = "list.remove"
    repeats = True
    commands = ("EVALSHA", "LREM")

    @property
    def needs_dump(self) -> bool:
        """True only when the element is above 1 MiB: too much for an inverse."""
        return self.seen.length > KEPT

    def arguments(self) -> tuple[Any, ...]:
        return ("remove", self.index, *self.seen.arguments(), "", 0, "", secrets.token_hex(16))

    def saved(self, reply: Reply) -> Saved:
        before, inverse = version(reply[0]), None
        emptied = reply[2] is not None
        if before.length <= KEPT and (reply[3] is None or len(reply[3]) <= KEPT):
            neighbour = Seen.of(reply[3]) if reply[3] is not None else None
            inverse = InsertElement(
                self.key, reply[1], reply[0][0], neighbour, emptied, after(reply[2])
            )
        return Saved(inverse, before, Version())


@dataclass(frozen=True)
class InsertElement(_ListEdit):
    """Put an element before the one at ``index``, which is ``seen``.

    With ``seen`` None ``index`` is the list's length: it is put at the tail if that still holds.
    With ``create`` an absent key is made, to expire at ``expires_at`` (ms since 1970). In the
    middle it costs O(index).
    """

    index: int
    value: bytes
    seen: Seen | None = None
    create: bool = False
    expires_at: int | None = None

    operation = "list.insert"
    repeats = True
    commands = ("EVALSHA", "LINSERT")

    def check(self) -> None:
        check_times(self.expires_at)

    def arguments(self) -> tuple[Any, ...]:
        guard = self.seen.arguments() if self.seen else NOWHERE
        return (
            "insert", self.index, *guard, self.value, int(self.create), self.expires_at or "",
            secrets.token_hex(16),
        )  # fmt: skip

    def saved(self, reply: Reply) -> Saved:
        inverse = RemoveElement(self.key, reply[1], Seen.of(self.value))
        return Saved(inverse, Version(), Version.of(self.value))
