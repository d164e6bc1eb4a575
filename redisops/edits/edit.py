"""What every edit is: a frozen dataclass that knows its guard, its script and its way into JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from redisops.edits.outcomes import (
    Conflict,
    Exists,
    Missing,
    Outcome,
    Refused,
    Saved,
    Seen,
    Version,
    version,
)
from redisops.edits.wire import fits, hints, plain, value_of
from redisops.errors import InvalidArgument

Reply = list[Any]
OPERATIONS: dict[str, type[Edit]] = {}
REFUSALS = {
    "past": "That time has passed: the key would be gone at once. Delete it instead.",
    "far": "That bit lies more than 1 MiB beyond the end: zeros would fill the gap.",
    "plain": "This string holds no HyperLogLog.",
    "unable": "This server has no expiry per field.",
}
NOWHERE = ("", 0, 0, "")  # the guard "it must not be there" as scripts take it
LATEST = 2**53 - 1  # ms since 1970 that Lua can hold, in the year 287,396
LONGEST = 512 * 1024 * 1024  # bytes of a string, the server's own default limit


@dataclass(frozen=True)
class Edit(ABC):
    """One change of one key. Subclasses are the operations; see :mod:`redisops.edits`.

    ``operation`` is its name in JSON and in ``lacks``; ``type`` the type the key must have ("" :
    any); ``commands`` what the server must have. Equal edits are equal in every field.
    """

    key: bytes

    operation: ClassVar[str] = ""
    type: ClassVar[str] = ""
    script: ClassVar[str] = ""
    commands: ClassVar[tuple[str, ...]] = ()
    noun: ClassVar[str] = "key"  # what is absent or exists
    repeats: ClassVar[bool] = False  # once done, its guard may hold again
    no_undo: ClassVar[str] = ""  # why there is never an inverse, in a sentence

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.operation:
            OPERATIONS[cls.operation] = cls

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a field of the wrong type or out of its bounds."""
        for name, hint in hints(type(self)).items():
            if not fits(hint, getattr(self, name)):
                raise InvalidArgument(
                    f"{self.operation}: {name} {str(getattr(self, name))[:80]!r} is not {hint}"
                )
        self.check()

    def check(self) -> None:  # noqa: B027 - most values have no bounds
        """Raise InvalidArgument for a value out of bounds."""

    @property
    def needs_dump(self) -> bool:
        """Whether the caller must keep the DUMP of ``dump_key`` first: no inverse can hold it."""
        return False

    @property
    def dump_key(self) -> bytes:
        """The key whose value the edit overwrites."""
        return self.key

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Every key that it touches, for the rules about protected keys."""
        return (self.key,)

    @abstractmethod
    def arguments(self) -> tuple[Any, ...]:
        """ARGV of its script after the first, which says whether it is a dry run."""

    @property
    def was(self) -> Version:
        """What the person saw, to show beside what is there now."""
        seen = getattr(self, "seen", None)
        return seen.version if isinstance(seen, Seen) else Version()

    @property
    def intended(self) -> Version:
        """What is there when the edit was done, as a conflict's ``now`` would show it."""
        return Version()

    def is_done(self, now: Version) -> bool:
        """Whether ``now`` is what the edit was to leave behind."""
        return now.exists and now.digest == self.intended.digest

    @abstractmethod
    def saved(self, reply: Reply) -> Saved:
        """What follows ``saved`` in the script's reply."""

    def outcome(self, reply: Reply) -> Outcome:
        """What the script's reply means: its first word is one of those below."""
        word, *rest = reply
        match word:
            case b"saved":
                return self.saved(rest)
            case b"conflict":
                return Conflict(version(rest[0]), self.was)
            case b"type":
                return Conflict(Version(b"", type=rest[0].decode()), self.was)
            case b"missing":
                return Missing()
            case b"absent":
                return Missing(self.noun)
            case b"exists":
                return Exists(self.noun, version(rest[0]) if rest else Version())
        return Refused(REFUSALS[word.decode()])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: bytes as ``{"base64": …}``, numbers that JSON lacks as ``{"float": …}``."""
        return {"operation": self.operation} | {
            name: plain(getattr(self, name)) for name in hints(type(self))
        }

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Edit:
        """The edit that ``to_dict`` gave. Raises InvalidArgument for anything else."""
        if not isinstance(data, dict) or data.get("operation") not in OPERATIONS:
            raise InvalidArgument(f"{str(data)[:80]!r} is no edit")
        kind = OPERATIONS[data["operation"]]
        values = {name: value_of(part) for name, part in data.items() if name != "operation"}
        try:
            return kind(**values)
        except TypeError as error:
            raise InvalidArgument(f"{kind.operation}: {error}") from None


def check_times(*times: int | None) -> None:
    """Raise InvalidArgument for a time that is none; whether it has passed the server says."""
    for at in times:
        if at is not None and not 0 < at <= LATEST:
            raise InvalidArgument(f"{at} is no time in milliseconds since 1970")
