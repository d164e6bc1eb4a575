"""What each policy would do here, in sentences made of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.html import format_html

from dashboard.ui import numbers
from redisops.eviction import Forecast, Group, Policy, Standing

SHOWN = 4  # groups of one policy
MUCH = 0.2

TAKES = {
    "noeviction": "nothing. At the limit writes that need memory fail; reads and deletes go on.",
    "allkeys-lru": "any key, the longest unread first.",
    "allkeys-lfu": "any key, the least used first.",
    "allkeys-random": "any key, by chance.",
    "volatile-lru": "keys with a TTL, the longest unread first.",
    "volatile-lfu": "keys with a TTL, the least used first.",
    "volatile-random": "keys with a TTL, by chance.",
    "volatile-ttl": "keys with a TTL, those that expire soonest first.",
}
NEEDS_LFU = (
    "Which keys are used least is not known: only an LFU policy counts uses. After a change to "
    "one nearly every key begins at 0: give it some minutes of use, better hours, before it has "
    "to choose."
)
NEEDS_LRU = (
    "Which keys are longest unread is not known: under an LFU policy this server counts uses "
    "instead. After a change the times begin anew."
)
NOBODY_TELLS = "Which keys would go is not known: this user may not ask what it goes by."


@dataclass(frozen=True)
class Told:
    """One policy as a row: what it takes, what that means here, and what to know of it.

    ``state`` is a shape: "ok", "warn", or "off" where nothing is known.
    """

    policy: Policy
    takes: str
    state: str
    sentence: str
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    more: int
    is_now: bool

    @property
    def spoken(self) -> str:
        """What the shape says, for those who do not see it."""
        words = {"ok": "Finds enough:", "warn": "Look at this:", "off": "Not known:"}
        return format_html('<span class="visually-hidden">{}</span>', words[self.state])


def rows(standing: Standing, found: Mapping[str, Forecast]) -> list[Told]:
    """All eight, as Redis lists them."""
    return [_told(standing, one) for one in found.values()]


def _told(standing: Standing, one: Forecast) -> Told:
    state, sentence, notes = _judged(standing, one)
    return Told(
        one.policy, TAKES[one.policy.name], state, sentence, tuple(notes), one.groups[:SHOWN],
        max(len(one.groups) - SHOWN, 0), one.policy.name == standing.policy,
    )  # fmt: skip


def _judged(standing: Standing, one: Forecast) -> tuple[str, str, list[str]]:
    goal = numbers.size(one.goal)
    if standing.keys == 0:
        return "ok", "There are no keys: nothing would go.", []
    if not one.policy.evicts:
        if not one.goal:
            return "ok", "Nothing would go, and nothing has to.", []
        return "warn", f"Nothing would go. Writes fail until {goal} are freed by somebody.", []
    if one.policy.expiring_only and one.candidates == 0:
        words = "No key has a TTL: nothing would go, and writes fail as under noeviction."
        return "warn", words, []
    notes = []
    if one.policy.expiring_only and one.candidates is not None:
        held = "" if one.candidate_bytes is None else (
            f", about {share(one.candidate_bytes)} of the memory of keys"
        )  # fmt: skip
        notes.append(f"{share(one.candidates)} of the keys have a TTL{held}.")
    state = "ok"
    if one.is_enough is False:
        state = "warn"
        notes.insert(0, _not_enough(standing, one, goal))
    if one.unknown:
        return "off", _why_unknown(standing, one), notes
    if one.keys is None or not one.drawn:
        return "off", "No key was drawn: which ones would go is not known.", notes
    if not one.goal and one.freed == 0:
        return state, "Nothing has to go.", notes
    size = f", {numbers.size(one.freed)}" if one.freed is not None else ""
    sentence = f"About {numbers.count(_rounded(one.keys))} keys{size}."
    if one.ttl is not None and one.policy.order == "expiry":
        sentence += f" Half of them have {numbers.duration(round(one.ttl))} or less to live."
    elif one.rest is not None:
        sentence += f" Half of them at rest for {numbers.duration(one.rest)} or more."
    if one.in_use and one.in_use >= MUCH:
        state = "warn"
        notes.append(f"{share(one.in_use)} of them were used within the last minute.")
    if one.lasting and one.lasting >= 0.01 and not one.policy.expiring_only:
        state = "warn" if one.lasting >= MUCH else state
        notes.append(f"{share(one.lasting)} of them have no TTL: they may be meant to stay.")
    return state, sentence, notes


def _not_enough(standing: Standing, one: Forecast, goal: str) -> str:
    if standing.key_bytes is None or (one.goal or 0) <= standing.key_bytes:
        return f"That is not enough: {goal} have to go, and then writes fail."
    which = "all keys with a TTL" if one.policy.expiring_only else "every key"
    end = "" if one.policy.expiring_only else ": this would empty the server"
    return (
        f"That is not enough: {goal} have to go, and all keys together hold about "
        f"{numbers.size(standing.key_bytes)}. It would take {which}{end}, and then writes fail."
    )


def weight(standing: Standing) -> str:
    """How much all keys hold, from which to which, and how that is known; "" where it is not."""
    known = standing.weight
    if known is None:
        return ""
    low, high = numbers.size(round(known.low)), numbers.size(round(known.high))
    span = f", {low} to {high}" if low != high else ""
    how = (
        "as the last count of all keys has it"
        if standing.counted
        else "by the keys that were drawn; a few large ones may not be among them"
        if span
        else "every key was drawn"
    )
    return f"All keys together hold about {numbers.size(round(known.value))}{span}: {how}."


def _why_unknown(standing: Standing, one: Forecast) -> str:
    if one.policy.order == "frequency" and not standing.counts_uses:
        return NEEDS_LFU
    if one.policy.order == "rest" and standing.counts_uses:
        return NEEDS_LRU
    return NOBODY_TELLS


def share(value: float) -> str:
    """31%, 0.4%, "less than 0.1%"; 100% only when it is all of them."""
    percent = value * 100
    if 0 < percent < 0.1:
        return "less than 0.1%"
    if 99.5 <= percent < 100:
        return "more than 99%"
    return f"{percent:.0f}%" if percent >= 10 or percent == 0 else f"{percent:.1f}%".replace(
        ".0%", "%"
    )  # fmt: skip


def _rounded(value: int) -> int:
    """Two digits are what a sample can say."""
    digits = max(len(str(value)) - 2, 0)
    return round(value, -digits)
