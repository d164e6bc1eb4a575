"""Edits of whole keys: expiry, name, a copy. Scripts: ``edit_expiry``, ``edit_name``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from redisops.edits.edit import Edit, Reply, check_times
from redisops.edits.hashes import after, expiry
from redisops.edits.outcomes import Outcome, Refused, Saved, Version
from redisops.errors import InvalidArgument


@dataclass(frozen=True)
class Expire(Edit):
    """Let the key expire ``at`` (ms since 1970, by the server's clock), or never (None).

    ``seen`` is its expiry as shown, None for none, give or take ``within`` milliseconds; "any"
    guards nothing. ``kind`` is the type the key must have, "" for any. A time that has passed is
    Refused: Redis would delete the key.
    """

    at: int | None
    seen: int | Literal["any"] | None = "any"
    within: int = 0
    kind: str = ""

    operation = "expire"
    script = "edit_expiry"
    commands = ("EVALSHA", "PEXPIREAT")

    def check(self) -> None:
        check_times(self.at, self.seen if isinstance(self.seen, int) else None)

    @property
    def was(self) -> Version:
        return expiry(self.seen if isinstance(self.seen, int) else None)

    @property
    def intended(self) -> Version:
        return expiry(self.at)

    def arguments(self) -> tuple[Any, ...]:
        seen = "" if self.seen is None else self.seen
        return (self.at or "", seen, self.within, self.kind)

    def saved(self, reply: Reply) -> Saved:
        before = after(reply[0])
        inverse = Expire(self.key, before, self.at, kind=self.kind)
        return Saved(inverse, expiry(before), expiry(self.at))


@dataclass(frozen=True)
class _Naming(Edit):
    """``to`` is the new name; ``replace`` lets it overwrite the key there (keep its DUMP first).

    ``over`` is the SHA-1 in hex of the DUMP that was kept of it: anything else that is there by
    then is left alone, a Conflict. "": whatever is there is lost.
    """

    to: bytes
    replace: bool = False
    kind: str = ""
    over: str = ""

    script = "edit_name"

    def check(self) -> None:
        if self.to == self.key:
            raise InvalidArgument("the new name is the old one")
        if self.over and not self.replace:
            raise InvalidArgument("over names what may be replaced, so it needs replace")

    @property
    def needs_dump(self) -> bool:
        return self.replace

    @property
    def dump_key(self) -> bytes:
        return self.to

    @property
    def keys(self) -> tuple[bytes, ...]:
        return (self.key, self.to)

    @property
    def intended(self) -> Version:
        return Version.of(self.to)


@dataclass(frozen=True)
class Rename(_Naming):
    """Rename the key with its expiry; never over another key unless ``replace``."""

    operation = "rename"
    commands = ("EVALSHA", "RENAMENX")

    def arguments(self) -> tuple[Any, ...]:
        return ("rename", int(self.replace), self.kind, self.over)

    def saved(self, reply: Reply) -> Saved:
        inverse = Rename(self.to, self.key, kind=self.kind)
        return Saved(inverse, Version.of(self.key), self.intended)


@dataclass(frozen=True)
class Copy(_Naming):
    """Copy the key with its expiry (Redis 6.2), never over another key unless ``replace``.

    Older servers, other servers, databases and slots: :func:`redisops.edits.transfer`.
    """

    operation = "copy"
    commands = ("EVALSHA", "COPY")
    no_undo = "A copy is undone by deleting it."

    def arguments(self) -> tuple[Any, ...]:
        return ("copy", int(self.replace), self.kind, self.over)

    def saved(self, reply: Reply) -> Saved:
        return Saved(None, Version(), self.intended, self.no_undo)


def other_slot(edit: Edit) -> Outcome:
    """The refusal of two names that a cluster keeps in different slots."""
    what = "renamed" if isinstance(edit, Rename) else "copied"
    return Refused(
        f"The two names are in different slots of this cluster, so it cannot be {what} at once.",
        instead="Copy it to the new name by DUMP and RESTORE"
        + (", look at the copy, then delete the old one." if isinstance(edit, Rename) else "."),
    )
