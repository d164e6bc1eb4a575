"""What people type to narrow the wall: ``zone:b version:1.4 state:critical tag:x`` and any text."""

from __future__ import annotations

from dataclasses import dataclass, field

from redisops.services.model import STATES, Instance

LONGEST = 200
WORDS = ("zone", "version", "state", "tag", "team", "service")
GROUPS = {"worst": "Worst first", "zone": "By zone", "version": "By version", "team": "By team",
          "name": "By name"}  # fmt: skip
EXTRA = ("up", "flapping", "late", "silent")
"""What is asked for besides the states of an instance; ``up`` is who gets calls."""


@dataclass(frozen=True)
class Ask:
    """A filter and an order. Words of one kind are alternatives, kinds must all fit.

    A value may end in ``*``. ``trouble`` says what of it was not understood.
    """

    text: str = ""
    group: str = "worst"
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    trouble: str = ""

    def fits(self, service: str, one: Instance, kind: str) -> bool:
        """Whether an instance is asked for; ``kind`` is what the wall calls its state."""
        for word, values in self.wanted.items():
            if not any(_fits(word, value, service, one, kind) for value in values):
                return False
        if not self.plain:
            return True
        all_of_it = " ".join(
            (service, one.id, one.authority, one.name, one.version, one.zone, *one.tags)
        ).lower()
        return all(text in all_of_it for text in self.plain)

    def fits_empty(self, service: str) -> bool:
        """Whether a service without instances is asked for."""
        if any(word != "service" for word in self.wanted):
            return False
        named = self.wanted.get("service")
        if named and not any(_like(value, service.lower()) for value in named):
            return False
        return all(text in service.lower() for text in self.plain)

    @property
    def is_narrow(self) -> bool:
        return bool(self.wanted or self.plain)


def understood(text: str, group: str) -> Ask:
    """What was typed, as far as it can be understood."""
    text = " ".join(text[:LONGEST].split())
    wanted: dict[str, tuple[str, ...]] = {}
    plain, trouble = [], ""
    for part in text.split():
        word, colon, value = part.partition(":")
        if colon and word.lower() in WORDS and value:
            word = word.lower()
            wanted[word] = (*wanted.get(word, ()), value.lower())
            if word == "state" and not any(
                _like(value.lower(), known) for known in (*STATES, *EXTRA)
            ):
                trouble = f'"{value[:40]}" is no state: {", ".join((*STATES[:-1], *EXTRA))}.'
        else:
            plain.append(part.lower())
    return Ask(text, group if group in GROUPS else "worst", wanted, tuple(plain), trouble)


def _fits(word: str, value: str, service: str, one: Instance, kind: str) -> bool:
    if word == "zone":
        return _like(value, one.zone.lower())
    if word == "version":
        version = one.version.lower()
        return _like(value, version) or version.startswith(f"{value}.")
    if word == "state":
        return _like(value, one.state) or _like(value, kind) or (value == "up" and one.is_routed)
    if word == "tag":
        return any(_like(value, tag.lower()) for tag in one.tags)
    if word == "team":
        return _like(value, one.metadata.get("team", "").lower())
    return _like(value, service.lower())


def _like(value: str, text: str) -> bool:
    if value.endswith("*"):
        return text.startswith(value[:-1])
    return text == value
