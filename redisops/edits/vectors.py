"""Edits of vector sets (Redis 8). Script: ``edit_vector``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from redisops.edits.documents import check_json
from redisops.edits.edit import NOWHERE, Edit, Reply
from redisops.edits.outcomes import KEPT, Saved, Seen, Version, version
from redisops.errors import InvalidArgument


@dataclass(frozen=True)
class AddVector(Edit):
    """Add an element with its vector to a vector set that exists; ``attributes`` is JSON or "".

    Every vector of a set has the same number of dimensions; the server refuses another.
    """

    element: bytes
    vector: tuple[float, ...]
    attributes: bytes = b""

    operation = "vectorset.add"
    type = "vectorset"
    script = "edit_vector"
    commands = ("EVALSHA", "VADD")
    noun = "element"

    def check(self) -> None:
        if not 1 <= len(self.vector) <= 4096 or not all(map(math.isfinite, self.vector)):
            raise InvalidArgument("a vector has from 1 to 4,096 finite numbers")
        if self.attributes:
            check_json(self.attributes)

    def arguments(self) -> tuple[Any, ...]:
        return ("add", self.element, *NOWHERE, self.attributes, *map(repr, self.vector))

    def saved(self, reply: Reply) -> Saved:
        inverse = RemoveVector(self.key, self.element, Seen.of(self.attributes))
        return Saved(inverse, Version(), Version.of(self.element))


@dataclass(frozen=True)
class RemoveVector(Edit):
    """Remove an element from a vector set; ``seen`` is its attributes (of ``b""`` without any)."""

    element: bytes
    seen: Seen

    operation = "vectorset.remove"
    type = "vectorset"
    script = "edit_vector"
    commands = ("EVALSHA", "VREM")
    noun = "element"
    no_undo = "The server keeps vectors quantised: a removed one cannot be put back exactly."

    def arguments(self) -> tuple[Any, ...]:
        return ("remove", self.element, *self.seen.arguments())

    def saved(self, reply: Reply) -> Saved:
        return Saved(None, version(reply[0]), Version(), self.no_undo)


@dataclass(frozen=True)
class SetVectorAttributes(Edit):
    """Set an element's attributes (JSON; ``b""`` removes them); ``seen`` is the old text."""

    element: bytes
    attributes: bytes
    seen: Seen

    operation = "vectorset.attributes"
    type = "vectorset"
    script = "edit_vector"
    commands = ("EVALSHA", "VSETATTR")
    noun = "element"

    def check(self) -> None:
        if self.attributes:
            check_json(self.attributes)

    @property
    def intended(self) -> Version:
        return Version.of(self.attributes)

    def arguments(self) -> tuple[Any, ...]:
        return ("attributes", self.element, *self.seen.arguments(), self.attributes)

    def saved(self, reply: Reply) -> Saved:
        before, inverse = version(reply[0]), None
        if before.length <= KEPT:
            inverse = SetVectorAttributes(
                self.key, self.element, reply[0][0], Seen.of(self.attributes)
            )
        return Saved(inverse, before, self.intended)
