"""What the dry run says of a list of keys: how many, how big, and what is unlike the rest.

Every key has its type asked, and its length (``STRLEN``, ``HLEN`` …), up to ``EACH`` keys; one
key in ``one_in`` is measured (time to live, memory, idle time), and beside these the longest and
the rare ones. ``KeyList.facts`` then holds, keys as base64url (``redisops.keys.from_url``)::

    {"scanned": 1270531,            keys looked at; of ``keyspace`` keys (DBSIZE)
     "keyspace": 1270531,
     "one_in": 50,                  1: every key was measured
     "measured": 824,               how many keys that was
     "exact_types": true,           false: types are estimated from the sample
     "types": {"hash": 41190, "string": 16, "list": 1},
     "expiry": {"none": 41207, "hour": 0, "day": 0, "week": 0, "later": 0},   estimated by sample
                                    (within an hour, a day, a week, later; "gone": expired since)
     "samples": [{"key", "type", "ttl": seconds|None, "bytes", "length", "idle": seconds|None}],
     "odd_type": [row, ...],        as in samples: types that fewer than 1 % of the keys have
     "odd_types": 17,               how many such keys there are
     "odd_size": [row, ...],        keys that are far bigger than the others
     "biggest": [row, ...],         of the measured keys those above 64 KiB, the biggest first
     "idle": {"known": 824, "day": 0, "week": 0, "month": 0},   of the measured keys, those used
                                    within the last day, week, 30 days; known: with an idle time
     "beyond": {"keys": 12, "folders": [["cart-archive:", 12], ...]},  matched, but not at a
                                    delimiter: pattern cart* also means cart-archive: (printable)
     "owned": [{"team": "Payments", "prefix": "cart:eu:", "keys": 31, "own": false}],
     "rename": {"old": "a:", "new": "b:", "taken": 3, "taken_keys": [key, ...], "outside": 0},
     "nodes": {"127.0.0.1:7001": 13702, ...},     keys for each primary of a cluster
     "seconds": 3.1,                how long counting took
     "refused": ["memory|usage"]}   rights that were missing, as ACL rules spell them
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dashboard.accounts.models import OwnedPrefix
from redisops.keys import from_printable, from_url, printable, to_url
from redisops.survey.samples import Facts

EACH = 200_000  # keys up to which each one's type and length are asked
WANTED = 1_000  # keys that are measured, about
SHOWN = 50
RARE = 100  # a type is odd when fewer than one key in so many has it
LONGEST = 20  # keys by length that are measured in any case
ODD = 20  # odd keys that are kept
FAR_BIGGER = 100  # times the mean, and
BIG = 1024 * 1024  # bytes, from which a key is odd by its size
LARGE = 64 * 1024  # bytes, from which a key is kept among the biggest
LONGEST_NAME = 4096  # bytes of a name that is kept in the facts
FOLDERS = 200
SURE = 1.96  # standard errors either way hold 95 %
HOUR, DAY = 3600, 86400


def one_in(total: int) -> int:
    """Of how many keys one is measured."""
    return 1 if total <= 2 * WANTED else total // WANTED


class Look:
    """What was found so far, kept as JSON between steps. Costs the same for any list."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state = state or {
            "looked": 0, "types": {}, "first": {}, "longest": {}, "measured": 0, "sizes": [0, 0, 0],
            "expiry": {}, "idle": {}, "samples": [], "refused": [],
            "biggest": [],
            "near": 0, "beyond": 0, "folders": {}, "owned": {}, "nodes": {}, "seconds": 0.0,
        }  # fmt: skip

    def named(self, keys: Sequence[bytes], head: bytes, owned: Sequence[bytes]) -> None:
        """Where names go on after ``head`` (the fixed start that was asked for), and whose."""
        state = self.state
        for prefix in owned:
            found = sum(key.startswith(prefix) for key in keys)
            if found:
                _add(state["owned"], to_url(prefix), found)
        if not head or head.endswith(b":"):
            return
        for key in keys:
            rest = key[len(head) :]
            if not rest or rest.startswith(b":"):
                state["near"] += 1
                continue
            state["beyond"] += 1
            end = rest.find(b":")
            folder = to_url((head + (rest[: end + 1] if end >= 0 else b"*"))[:LONGEST_NAME])
            if folder in state["folders"] or len(state["folders"]) < FOLDERS:
                _add(state["folders"], folder, 1)

    def placed(self, places: Iterable[str]) -> None:
        """On which primary of a cluster each key is."""
        for place, count in Counter(places).items():
            if place:
                _add(self.state["nodes"], place, count)

    def typed(
        self, keys: Sequence[bytes], types: Sequence[str], lengths: Sequence[int | None]
    ) -> None:
        """Types and lengths of keys that were all asked."""
        state = self.state
        for kind, count in Counter(types).items():
            _add(state["types"], kind, count)
        state["looked"] += len(keys)
        longest = state["longest"]
        least = min(longest.values()) if len(longest) >= LONGEST else -1
        for key, kind, length in zip(keys, types, lengths, strict=True):
            if len(key) > LONGEST_NAME:
                continue
            first = state["first"].setdefault(kind, [])
            if len(first) < ODD:
                first.append(to_url(key))
            if length is not None and length > least:
                longest[to_url(key)] = length
                if len(longest) > LONGEST:
                    del longest[min(longest, key=longest.__getitem__)]
                    least = min(longest.values())

    def measured(
        self, keys: Sequence[bytes], found: Sequence[Facts | None],
        lengths: Sequence[int | None], *, kept: bool,
    ) -> None:  # fmt: skip
        """Facts of the sample; ``kept``: rows for the page are wanted, too."""
        state = self.state
        for key, facts, length in zip(keys, found, lengths, strict=True):
            if facts is None:
                _add(state["expiry"], "gone", 1)
                continue
            state["measured"] += 1
            _add(state["expiry"], _when(facts.ttl), 1)
            if facts.size is not None:
                count, total, squares = state["sizes"]
                state["sizes"] = [count + 1, total + facts.size, squares + facts.size**2]
            if facts.idle is not None:
                _add(state["idle"], "known", 1)
                for word, seconds in (("day", DAY), ("week", 7 * DAY), ("month", 30 * DAY)):
                    if facts.idle < seconds:
                        _add(state["idle"], word, 1)
            if kept and len(key) <= LONGEST_NAME and len(state["samples"]) < SHOWN:
                state["samples"].append(row(facts, length))
            if (facts.size or 0) >= LARGE and len(key) <= LONGEST_NAME:
                state["biggest"] = _biggest([*state.get("biggest", []), row(facts, length)])

    def biggest(self, big: Sequence[Facts]) -> list[dict[str, Any]]:
        """Rows of the biggest keys that were measured, ``big`` (for their length) among them."""
        rows = [row(one, None) for one in big if (one.size or 0) >= LARGE]
        return _biggest([*self.state.get("biggest", []), *rows])

    def rare(self, total: int) -> list[bytes]:
        """Keys, at most 20, of types that fewer than one key in a hundred has."""
        found = [
            from_url(key)
            for kind, count in self.state["types"].items()
            if kind != "none" and count * RARE < total
            for key in self.state["first"].get(kind, [])
        ]
        return found[:ODD]

    def weighed(
        self, total: int, big: Sequence[Facts], in_sample: set[bytes]
    ) -> tuple[int | None, int | None]:
        """The bytes of all keys and what they are right within with 95 % confidence.

        ``big`` keys were measured because of their length: they count as they are, and the rest
        is estimated from the sample without them.
        """
        count, sum_, squares = self.state["sizes"]
        there = total - self.state["types"].get("none", 0)
        certain = [facts for facts in big if facts.size is not None]
        if not count and not certain:
            return None, None
        for facts in certain:
            if facts.key in in_sample:
                size = facts.size or 0
                count, sum_, squares = count - 1, sum_ - size, squares - size**2
        weight = sum(facts.size or 0 for facts in certain)
        rest = max(there - len(certain), 0)
        if count <= 0 or not rest:
            return weight, 0
        mean = sum_ / count
        if count >= rest:
            return weight + round(mean * rest), 0
        spread = max(squares / count - mean**2, 0) * count / max(count - 1, 1)
        error = math.sqrt(spread / count * (1 - count / rest)) * rest
        return weight + round(mean * rest), math.ceil(SURE * error)

    def odd_sizes(self, total: int, memory: int | None, big: Sequence[Facts]) -> list[Facts]:
        """Those of the longest keys that are far bigger than the mean of the others."""
        ordered = sorted((one for one in big if one.size), key=lambda one: -(one.size or 0))
        odd = []
        left, others = memory or 0, total
        for facts in ordered:
            left, others = left - (facts.size or 0), others - 1
            mean = max(left / others, 1) if others > 0 else 1
            if (facts.size or 0) < BIG or (facts.size or 0) < FAR_BIGGER * mean or others <= 0:
                break
            odd.append(facts)
        return odd[:ODD]


def _biggest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {one["key"]: one for one in rows}
    return sorted(found.values(), key=lambda one: -one["bytes"])[:ODD]


def _add(counts: dict[str, int], name: str, amount: int) -> None:
    counts[name] = counts.get(name, 0) + amount


def _when(ttl: int | None) -> str:
    """The bucket of a time to live in milliseconds."""
    if ttl is None:
        return "unknown"
    if ttl < 0:
        return "none"
    seconds = ttl / 1000
    return "hour" if seconds < HOUR else "day" if seconds < DAY else (
        "week" if seconds < 7 * DAY else "later"
    )  # fmt: skip


def row(facts: Facts, length: int | None) -> dict[str, Any]:
    """One measured key as the page takes it."""
    ttl = None if facts.ttl is None or facts.ttl < 0 else facts.ttl / 1000
    return {
        "key": to_url(facts.key), "type": facts.type, "ttl": ttl, "bytes": facts.size,
        "length": length, "idle": facts.idle,
    }  # fmt: skip


def owned_prefixes(slug: str, scope: bytes) -> list[tuple[bytes, str, str, list[int]]]:
    """Prefixes that teams own here and that keys below ``scope`` may have.

    (prefix, its spelling, the team's name, the ids of its members) of each.
    """
    found = []
    rules = OwnedPrefix.objects.filter(server__in=("", slug)).select_related("team")
    for rule in rules.prefetch_related("team__members"):
        prefix = from_printable(rule.prefix)
        if prefix.startswith(scope) or scope.startswith(prefix):
            members = [person.pk for person in rule.team.members.all()]
            found.append((prefix, printable(prefix), rule.team.name, members))
    return found
