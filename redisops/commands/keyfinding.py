"""Which keys a command names: from the server's key specs, never fewer than it will touch.

Where a keyword could stand in several places all of them are followed, so that a name which
happens to be spelled like a keyword hides no key. What is found may be more than is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redisops.commands.table import Command, KeySpec
from redisops.commands.words import word


@dataclass(frozen=True, slots=True)
class Found:
    """``keys`` in order, each once; ``channels`` likewise. ``complete``: nothing else is touched.

    ``prefixes``: keys whose names the server makes of data begin with one of these (SORT BY).
    """

    keys: tuple[bytes, ...]
    channels: tuple[bytes, ...] = ()
    complete: bool = True
    prefixes: tuple[bytes, ...] = ()


def find(command: Command, args: Sequence[bytes]) -> Found:
    """The keys of ``args``, of which ``command`` was found in the table. Asks no server."""
    special = _SPECIAL.get(command.name)
    keys: list[bytes] = []
    channels: list[bytes] = []
    complete = True
    for spec in command.specs:
        into = channels if "not_key" in spec.flags else keys
        named = _by_spec(spec, args)
        if special is None and (named is None or "incomplete" in spec.flags):
            complete = False
        into += named or []
    if not command.specs:
        keys += _by_position(command.positions, args)
        # Without specs only the first, last and step are known of commands that have more.
        complete = "movablekeys" not in command.flags
    prefixes: list[bytes] = []
    if special is not None:
        special(args, keys, prefixes)
    if command.name in CHANNEL_FIRST:
        channels += args[1:2]
    return Found(_once(keys), _once(channels), complete, _once(prefixes))


def _once(names: list[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(names))


def _by_position(positions: tuple[int, int, int], args: Sequence[bytes]) -> list[bytes]:
    first, last, step = positions
    if first <= 0 or step <= 0:
        return []
    end = len(args) + last if last < 0 else last
    return list(args[first : end + 1 : step])


def _by_spec(spec: KeySpec, args: Sequence[bytes]) -> list[bytes] | None:
    """The keys of one spec; None when it does not say where they are."""
    if spec.begin[0] == "unknown" or spec.find[0] == "unknown":
        return None
    named: list[bytes] = []
    for start in _starts(spec, args):
        named += _from(spec, args, start)
    return named


def _starts(spec: KeySpec, args: Sequence[bytes]) -> list[int]:
    if spec.begin[0] == "index":
        return [spec.begin[1]] if spec.begin[1] < len(args) else []
    keyword = spec.begin[1].upper().encode()
    # Every place of it: the server may look from the front or from the back.
    return [at + 1 for at, arg in enumerate(args) if at and word(arg) == keyword]


def _from(spec: KeySpec, args: Sequence[bytes], start: int) -> list[bytes]:
    if spec.find[0] == "range":
        last, step, limit = spec.find[1:]
        if last >= 0:
            end = start + last
        else:
            end = len(args) + last
            if limit > 1:
                end = start + (len(args) - start) // limit + last
        return list(args[start : end + 1 : max(step, 1)])
    index, first, step = spec.find[1:]
    try:
        count = int(args[start + index])
    except (IndexError, ValueError):
        return []  # the server refuses what is no number there
    first += start
    return list(args[first : first + max(count, 0) * max(step, 1) : max(step, 1)])


def _sort(args: Sequence[bytes], keys: list[bytes], prefixes: list[bytes]) -> None:
    """BY and GET make names of what is in the list: up to the first ``*`` they are known."""
    for at, arg in enumerate(args[2:], start=2):
        following = args[at + 1] if at + 1 < len(args) else None
        if following is None:
            continue
        if word(arg) == b"STORE":
            keys.append(following)
        elif word(arg) in (b"BY", b"GET") and b"*" in following:
            prefixes.append(following.split(b"*", 1)[0])


def _migrate(args: Sequence[bytes], keys: list[bytes], prefixes: list[bytes]) -> None:
    """Everything after any KEYS, since a password may be spelled like it."""
    keys[:] = [key for key in keys if key]
    for at, arg in enumerate(args):
        if at and word(arg) == b"KEYS":
            keys += args[at + 1 :]


_SPECIAL = {"sort": _sort, "sort_ro": _sort, "migrate": _migrate}
CHANNEL_FIRST = frozenset({"publish"})
