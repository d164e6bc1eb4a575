"""Edits of sets. Script: ``edit_set``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redisops.edits.edit import Edit, Reply, check_times
from redisops.edits.hashes import after
from redisops.edits.outcomes import Saved, Version


@dataclass(frozen=True)
class AddMember(Edit):
    """Add a member to a set. With ``create`` an absent key is made, to expire at ``expires_at``."""

    member: bytes
    create: bool = False
    expires_at: int | None = None

    operation = "set.add"
    type = "set"
    script = "edit_set"
    commands = ("EVALSHA", "SADD")
    noun = "member"

    @property
    def intended(self) -> Version:
        return Version.of(self.member)

    def check(self) -> None:
        check_times(self.expires_at)

    def arguments(self) -> tuple[Any, ...]:
        return ("add", self.member, int(self.create), self.expires_at or "")

    def saved(self, reply: Reply) -> Saved:
        inverse = RemoveMember(self.key, self.member)
        return Saved(inverse, Version(), Version.of(self.member))


@dataclass(frozen=True)
class RemoveMember(Edit):
    """Remove a member from a set. The key goes with its last member."""

    member: bytes

    operation = "set.remove"
    type = "set"
    script = "edit_set"
    commands = ("EVALSHA", "SREM")
    noun = "member"

    def arguments(self) -> tuple[Any, ...]:
        return ("remove", self.member)

    def saved(self, reply: Reply) -> Saved:
        inverse = AddMember(self.key, self.member, reply[0] is not None, after(reply[0]))
        return Saved(inverse, Version.of(self.member), Version())
