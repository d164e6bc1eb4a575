"""What a write takes away: the keys whose whole values go, and what no dump brings back.

Keep the keys (``redisops.dumps``) before the command is sent and it can be undone. Keywords are
looked for in every place where they could stand: rather a key too many than one too few.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redisops.commands.policy import Verdict
from redisops.commands.roles import words
from redisops.commands.words import word

PART = (
    "It changes a part of a value, which the recycle bin does not keep. The Keys page changes "
    "parts so that they can be undone."
)
EXPIRY = "The expiry of before is not kept in the recycle bin."
SCRIPT = "What a script changes is not kept in the recycle bin."
EVERYTHING = "Whole databases are concerned, and nothing of them is kept in the recycle bin."
ELSEWHERE = "What it replaces there cannot be kept in the recycle bin."
CLOCKS = 60.0  # seconds that the server's clock may differ from ours


@dataclass(frozen=True, slots=True)
class Loss:
    """``keys``: their values are deleted or replaced as a whole, where they exist.

    ``beyond``: what is lost as a whole and cannot be kept first, a sentence; ask before it is
    run. ``note``: what is changed in part, not kept either; say so. "" when there is nothing.
    """

    keys: tuple[bytes, ...] = ()
    beyond: str = ""
    note: str = ""


def losses(args: Sequence[bytes], verdict: Verdict) -> Loss:
    """What ``args``, an allowed command of this verdict, takes away. Asks no server."""
    if not verdict.writes:
        return Loss()
    name = verdict.name.lower().replace(" ", "|")
    if name in ("flushall", "flushdb", "swapdb"):
        return Loss(beyond=EVERYTHING)
    if name in ("eval", "evalsha", "fcall"):
        return Loss(note=SCRIPT)
    if name in ALL_KEYS:
        return Loss(verdict.keys)
    if name in AT:
        return Loss(_once(args[AT[name] : AT[name] + 1]))
    rule = RULES.get(name)
    if rule is not None:
        return rule(args, verdict)
    return Loss(note=PART if verdict.keys and name not in ADDS else "")


def _once(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(keys))


def _has(args: Sequence[bytes], name: bytes, start: int) -> bool:
    return any(word(arg) == name for arg in args[start:])


def _int(arg: bytes) -> int | None:
    try:
        return int(arg)
    except ValueError:
        return None  # the server refuses it


def _copy(args: Sequence[bytes], verdict: Verdict) -> Loss:
    if not _has(args, b"REPLACE", 3):
        return Loss()
    if _has(args, b"DB", 3):
        return Loss(beyond=ELSEWHERE)
    return Loss(_once(args[2:3]))


def _restore(args: Sequence[bytes], verdict: Verdict) -> Loss:
    return Loss(_once(args[1:2]) if _has(args, b"REPLACE", 4) else ())


def _migrate(args: Sequence[bytes], verdict: Verdict) -> Loss:
    """Its keys go, unless COPY stands where it is neither a password nor one of the keys."""
    names = [word(arg) for arg in args]
    options = names[: names.index(b"KEYS")] if b"KEYS" in names else names
    is_copy = any(
        name == b"COPY"
        and options[at - 1] not in (b"AUTH", b"AUTH2")
        and options[at - 2] != b"AUTH2"
        for at, name in enumerate(options)
        if at >= 6
    )
    gone = () if is_copy else tuple(key for key in verdict.keys if key)
    return Loss(gone, beyond=ELSEWHERE if _has(args, b"REPLACE", 6) else "")


def _store(args: Sequence[bytes], verdict: Verdict) -> Loss:
    """SORT and GEORADIUS replace what is named after STORE."""
    names = (b"STORE", b"STOREDIST")
    places = [at for at in range(2, len(args) - 1) if word(args[at]) in names]
    return Loss(_once([args[at + 1] for at in places]))


def _expire(args: Sequence[bytes], verdict: Verdict) -> Loss:
    """A time to live of 0 or less deletes."""
    seconds = _int(args[2])
    return Loss(_once(args[1:2])) if seconds is not None and seconds <= 0 else Loss(note=EXPIRY)


def _expire_at(unit: int) -> Callable[[Sequence[bytes], Verdict], Loss]:
    def rule(args: Sequence[bytes], verdict: Verdict) -> Loss:
        at = _int(args[2])
        is_past = at is not None and at / unit <= time.time() + CLOCKS
        return Loss(_once(args[1:2])) if is_past else Loss(note=EXPIRY)

    return rule


def _getex(args: Sequence[bytes], verdict: Verdict) -> Loss:
    """A time that is past deletes."""
    at_time = _has(args, b"EXAT", 2) or _has(args, b"PXAT", 2)
    if at_time:
        return Loss(_once(args[1:2]))
    return Loss(note=EXPIRY if len(args) > 2 else "")


def _xadd(args: Sequence[bytes], verdict: Verdict) -> Loss:
    trims = _has(args, b"MAXLEN", 2) or _has(args, b"MINID", 2)
    return Loss(note=PART if trims else "")


Rule = Callable[[Sequence[bytes], Verdict], Loss]
RULES: dict[str, Rule] = {
    "mset": lambda args, verdict: Loss(_once(args[1::2])),
    "json.mset": lambda args, verdict: Loss(_once(args[1::3])),
    "copy": _copy, "restore": _restore, "migrate": _migrate, "sort": _store,
    "georadius": _store, "georadiusbymember": _store, "expire": _expire, "pexpire": _expire,
    "expireat": _expire_at(1), "pexpireat": _expire_at(1000), "getex": _getex, "xadd": _xadd,
    "persist": lambda args, verdict: Loss(note=EXPIRY),
}  # fmt: skip

ALL_KEYS = words("del unlink msetex")
"""Every key that they name goes."""

AT = {
    **dict.fromkeys(
        words(
            "set getset getdel setex psetex delex delifeq ltrim xtrim zremrangebyrank "
            "zremrangebyscore zremrangebylex json.set json.del json.forget json.merge json.clear "
            "sinterstore sunionstore sdiffstore zinterstore zunionstore zdiffstore zrangestore "
            "geosearchstore pfmerge"
        ),
        1,
    ),
    "rename": 2,
    "bitop": 2,
}
"""Where the key stands whose value goes, or may go, as a whole."""

ADDS = words(
    "setnx msetnx renamenx hsetnx lpush rpush lpushx rpushx linsert sadd smove lmove rpoplpush "
    "move pfadd xack xclaim xautoclaim xreadgroup xgroup|create xgroup|createconsumer "
    "publish spublish"
)
"""They take nothing away."""
