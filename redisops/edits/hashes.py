"""Edits of hashes: fields, and their own expiry (Redis 7.4, Valkey 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redisops.edits.edit import LATEST, NOWHERE, Edit, Reply, check_times
from redisops.edits.outcomes import KEPT, Saved, Seen, Version, version


@dataclass(frozen=True)
class SetField(Edit):
    """Set a field; ``seen`` is its old value, None to add a field that must not be there.

    A field keeps its own expiry, or gets ``field_at`` (ms since 1970). With ``create`` an absent
    key is made, to expire at ``expires_at``: what undoing the deletion of the last field needs.
    """

    field: bytes
    value: bytes
    seen: Seen | None = None
    field_at: int | None = None
    create: bool = False
    expires_at: int | None = None

    operation = "hash.set"
    type = "hash"
    script = "edit_hash"
    commands = ("EVALSHA", "HSET")
    noun = "field"

    def check(self) -> None:
        check_times(self.field_at, self.expires_at)

    @property
    def needs_dump(self) -> bool:
        """True only when the old value is above 1 MiB: too much for an inverse."""
        return self.seen is not None and self.seen.length > KEPT

    @property
    def intended(self) -> Version:
        return Version.of(self.value)

    def arguments(self) -> tuple[Any, ...]:
        guard = self.seen.arguments() if self.seen else NOWHERE
        return (
            "set", self.field, *guard, self.value, self.field_at or "",
            int(self.create), self.expires_at or "",
        )  # fmt: skip

    def saved(self, reply: Reply) -> Saved:
        before, now = version(reply[0]), Seen.of(self.value)
        inverse: Edit | None = None
        if reply[0] is None:
            inverse = DeleteField(self.key, self.field, now)
        elif before.length <= KEPT:
            inverse = SetField(self.key, self.field, reply[0][0], now, reply[1])
        return Saved(inverse, before, self.intended)


@dataclass(frozen=True)
class DeleteField(Edit):
    """Delete a field; ``seen`` is its value. The key goes with its last field."""

    field: bytes
    seen: Seen

    operation = "hash.delete"
    type = "hash"
    script = "edit_hash"
    commands = ("EVALSHA", "HDEL")
    noun = "field"

    @property
    def needs_dump(self) -> bool:
        """True only when the value is above 1 MiB: too much for an inverse."""
        return self.seen.length > KEPT

    def arguments(self) -> tuple[Any, ...]:
        return ("delete", self.field, *self.seen.arguments())

    def saved(self, reply: Reply) -> Saved:
        before, inverse = version(reply[0]), None
        if before.length <= KEPT:
            emptied = reply[2] is not None
            inverse = SetField(
                self.key, self.field, reply[0][0], None, reply[1], emptied, after(reply[2])
            )
        return Saved(inverse, before, Version())


@dataclass(frozen=True)
class ExpireField(Edit):
    """Let a field expire at ``at`` (ms since 1970), or never (None); ``seen`` is its old value."""

    field: bytes
    at: int | None
    seen: Seen

    operation = "hash.expire"
    type = "hash"
    script = "edit_field_expiry"
    commands = ("EVALSHA", "HPEXPIRE")
    noun = "field"

    def check(self) -> None:
        check_times(self.at)

    def arguments(self) -> tuple[Any, ...]:
        return (self.field, *self.seen.arguments(), self.at or "")

    def saved(self, reply: Reply) -> Saved:
        before = after(reply[0])
        inverse = ExpireField(self.key, self.field, before, self.seen)
        return Saved(inverse, expiry(before), expiry(self.at))


def after(at: int | None) -> int | None:
    """The expiry that a script says, which is -1 without one, as an edit takes it."""
    return at if at is not None and at > 0 else None


def expiry(at: int | None) -> Version:
    """An expiry in ms since 1970 as a version: absent when there is none."""
    return Version.of(b"%d" % at if at is not None and at <= LATEST else None)
