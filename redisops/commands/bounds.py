"""How large an answer, or the work for it, may become: checked before a command is sent.

Numbers among the arguments are judged at once. For what depends on the data the server is asked
for a length first, in one round trip for all keys, and the command is refused above the bound
with the command that pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from redisops.commands import growth
from redisops.commands.growth import LARGE, integer
from redisops.commands.refusals import Refusal
from redisops.commands.words import word

ELEMENTS = 1_000
"""Elements of one answer."""
WORK = 10_000
"""Elements that one command looks at to answer."""
BYTES = 1024 * 1024
"""Bytes of the strings in one answer."""

Size = Callable[[Sequence[int]], int]
Ask = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Send ``asks``, give the integer replies to ``size``: more than ``most`` is too much.

    ``unit`` is "elements" or "bytes"; ``instead`` says what to use above the bound.
    """

    asks: tuple[Ask, ...]
    most: int
    unit: str
    instead: str
    size: Size = sum

    def exceeded(self, lengths: Sequence[int]) -> Refusal | None:
        """The refusal that these lengths mean, or None."""
        size = self.size(lengths)
        if size <= self.most:
            return None
        return Refusal(f"It is about {size:,} {self.unit}, more than {self.most:,}.", self.instead)


Given = Sequence[bytes]
Told = Bound | Refusal | None
Rule = Callable[[Given, Sequence[bytes]], Told]


def bound(name: str, args: Given, keys: Sequence[bytes]) -> Told:
    """What to measure before ``args`` (of the command ``name``) is sent; a Refusal when its own
    numbers are too large already; None when it is small whatever the data are."""
    rule = RULES.get(name)
    return rule(args, keys) if rule is not None else None


def _option(args: Given, name: bytes, start: int = 1) -> int | None:
    """The largest number after any ``name``, whichever of them the server takes; None without."""
    found = [integer(args[at + 1]) for at in range(start, len(args) - 1) if word(args[at]) == name]
    return max((one for one in found if one is not None), default=None)


def _has(args: Given, name: bytes, start: int = 1) -> bool:
    return any(word(arg) == name for arg in args[start:])


def _too_many(count: int, what: str) -> Refusal:
    return Refusal(
        f"{what} {count:,} is more than {ELEMENTS:,} elements at once.",
        f"Ask for {ELEMENTS:,} at most, and go on from the last one.",
    )


def _number(at: int, what: str, args: Given, keys: Sequence[bytes]) -> Told:
    count = integer(args[at]) if len(args) > at else None
    return _too_many(count, what) if count is not None and abs(count) > ELEMENTS else None


def _count_option(args: Given, keys: Sequence[bytes]) -> Told:
    count = _option(args, b"COUNT")
    return _too_many(count, "COUNT") if count is not None and abs(count) > ELEMENTS else None


def _each(
    asks: str, most: int, unit: str, instead: str, args: Given, keys: Sequence[bytes]
) -> Told:
    """Every key's own length, added up; a wrong type counts nothing."""
    if len(keys) > ELEMENTS:
        return _too_many(len(keys), "The number of keys,")
    words = [tuple(part.encode() for part in ask.split()) for ask in asks.split(",")]
    return Bound(tuple((*ask, key) for key in keys for ask in words), most, unit, instead)


def _window(lengths: Sequence[int], first: int, last: int) -> int:
    total = sum(lengths)
    start = max(first + total if first < 0 else first, 0)
    end = min(last + total if last < 0 else last, total - 1)
    return max(end - start + 1, 0)


def _range(ask: bytes, instead: str, unit: str, args: Given, keys: Sequence[bytes]) -> Told:
    """LRANGE, ZRANGE by index, GETRANGE: what lies between two places."""
    first, last = (integer(args[at]) if len(args) > at else None for at in (2, 3))
    if first is None or last is None:
        return None
    most = BYTES if unit == "bytes" else ELEMENTS
    if first >= 0 and 0 <= last - first < most and last >= 0:
        return None
    return Bound(((ask, args[1]),), most, unit, instead, partial(_window, first=first, last=last))


def _zrange(args: Given, keys: Sequence[bytes]) -> Told:
    if _has(args, b"BYSCORE", 4) or _has(args, b"BYLEX", 4):
        return _limited(args, keys)
    return _range(b"ZCARD", "Ask for ranks 0 999, then 1000 1999.", "elements", args, keys)


def _limited(args: Given, keys: Sequence[bytes]) -> Told:
    """ZRANGEBYSCORE and its kin: LIMIT offset count, or a small set."""
    places = [at for at in range(4, len(args) - 2) if word(args[at]) == b"LIMIT"]
    passed = max((integer(args[at + 1]) or 0 for at in places), default=0)
    if passed > 10 * WORK:
        return Refusal(
            f"The server would walk over {passed:,} elements first.",
            "Begin the range at the last one that you have seen, with LIMIT 0.",
        )
    counts = [integer(args[at + 2]) for at in places]
    if counts and all(count is not None and count >= 0 for count in counts):
        most = max(count or 0 for count in counts)
        return _too_many(most, "LIMIT") if most > ELEMENTS else None
    return Bound(
        ((b"ZCARD", args[1]),), ELEMENTS, "elements", f"Add LIMIT 0 {ELEMENTS} and go on from it."
    )  # fmt: skip


def _xrange(args: Given, keys: Sequence[bytes]) -> Told:
    count = _option(args, b"COUNT", 4)
    if count is not None:
        return _too_many(count, "COUNT") if count > ELEMENTS else None
    return Bound(
        ((b"XLEN", args[1]),), ELEMENTS, "elements", "Add COUNT 100 and go on from the last id."
    )  # fmt: skip


def _xread(args: Given, keys: Sequence[bytes]) -> Told:
    """COUNT before the first STREAMS: behind it a stream may be called so."""
    words = [word(arg) for arg in args]
    ahead = args[: words.index(b"STREAMS")] if b"STREAMS" in words else args
    count = _option(ahead, b"COUNT")
    if count is not None and count > 0:
        many = count * max(len(keys), 1)
        return _too_many(many, "COUNT for each stream, in all") if many > ELEMENTS else None
    return _each("XLEN", ELEMENTS, "elements", "Add COUNT 100.", args, keys)


def _xpending(args: Given, keys: Sequence[bytes]) -> Told:
    has_idle = len(args) > 3 and word(args[3]) == b"IDLE"
    return _number(7 if has_idle else 5, "COUNT", args, keys)


def _xinfo(args: Given, keys: Sequence[bytes]) -> Told:
    if not _has(args, b"FULL", 3):
        return None
    count = _option(args, b"COUNT", 3)
    if count is None:
        return None  # the server shows ten
    if count == 0 or count > ELEMENTS:
        return Refusal("COUNT 0 shows everything.", f"Add COUNT {ELEMENTS} at most.")
    return None


def _geo(args: Given, keys: Sequence[bytes]) -> Told:
    count = _option(args, b"COUNT", 2)
    if count is not None and 0 < count <= ELEMENTS and _has(args, b"ANY", 2):
        return None
    return _each("ZCARD", WORK, "elements", "Add COUNT 100 ANY.", args, keys[:1])


def _sort(args: Given, keys: Sequence[bytes]) -> Told:
    """The elements, as often as GET fetches something for each of them."""
    instead = "Read it in pages: LRANGE, SSCAN or ZRANGE."
    times = max(sum(word(arg) == b"GET" for arg in args[2:]), 1)
    asks = tuple((name, args[1]) for name in (b"LLEN", b"SCARD", b"ZCARD"))
    return Bound(asks, ELEMENTS, "elements", instead, lambda lengths: sum(lengths) * times)


def _hstrlen(args: Given, keys: Sequence[bytes]) -> Told:
    if len(args) - 2 > ELEMENTS:
        return _too_many(len(args) - 2, "The number of fields,")
    asks = tuple((b"HSTRLEN", args[1], name) for name in args[2:])
    return Bound(asks, BYTES, "bytes", "Open the key on the Keys page: it reads a part.")


def _set(args: Given, keys: Sequence[bytes]) -> Told:
    return _string(args, keys) if _has(args, b"GET", 3) else None


def _lpos(args: Given, keys: Sequence[bytes]) -> Told:
    most = _option(args, b"MAXLEN", 3)
    if most is not None and 0 < most <= WORK:
        return _count_option(args, keys)
    return _each("LLEN", WORK, "elements", f"Add MAXLEN {WORK}.", args, keys)


def _usage(args: Given, keys: Sequence[bytes]) -> Told:
    count = _option(args, b"SAMPLES", 3)
    if count is not None and not 0 < count <= ELEMENTS:
        return Refusal("So many samples take long.", f"SAMPLES 1 to {ELEMENTS}, or none for 5.")
    return None


def _counted(args: Given, keys: Sequence[bytes]) -> Told:
    """Without COUNT it answers with everything."""
    if _option(args, b"COUNT", 4) is None:
        return Refusal("It may answer with everything.", f"Add COUNT {ELEMENTS} and go on.")
    return _count_option(args, keys)


def _migrate(args: Given, keys: Sequence[bytes]) -> Told:
    wait = integer(args[5]) if len(args) > 5 else None
    if wait is not None and wait > 1000:
        return Refusal(f"The server would wait up to {wait:,} ms.", "A timeout up to 1000 is run.")
    return _memory(LARGE, "Copy fewer keys at once.", args, [k for k in keys if k])


def _memory(most: int, instead: str, args: Given, keys: Sequence[bytes]) -> Told:
    return _each("MEMORY USAGE", most, "bytes", instead, args, keys)


_string = partial(_each, "STRLEN", BYTES, "bytes", "Read a part: GETRANGE key 0 65535.")
_algebra = partial(
    _each, "SCARD,ZCARD", WORK, "elements", "Do it where the data is used, or in a script aside."
)
_hash = partial(_each, "HLEN", ELEMENTS, "elements", "Use HSCAN key 0 COUNT 100.")
_members = partial(_each, "SCARD", ELEMENTS, "elements", "Use SSCAN key 0 COUNT 100.")
_random = partial(_number, 2, "The count")
_bits = partial(_each, "STRLEN", LARGE, "bytes", "Give a range: BITCOUNT key 0 65535.")

RULES: dict[str, Rule] = {
    "get": _string, "getset": _string, "getdel": _string, "getex": _string, "mget": _string,
    "set": _set, "hget": _hstrlen, "hmget": _hstrlen,
    "getrange": partial(_range, b"STRLEN", "Ask for at most 1 MiB.", "bytes"),
    "substr": partial(_range, b"STRLEN", "Ask for at most 1 MiB.", "bytes"),
    "lrange": partial(_range, b"LLEN", "Ask for 0 999, then 1000 1999.", "elements"),
    "hgetall": _hash, "hkeys": _hash, "hvals": _hash, "smembers": _members,
    "zrange": _zrange,
    "zrevrange": partial(_range, b"ZCARD", "Ask for 0 999, then 1000 1999.", "elements"),
    "zrangebyscore": _limited, "zrevrangebyscore": _limited, "zrangebylex": _limited,
    "zrevrangebylex": _limited,
    "xrange": _xrange, "xrevrange": _xrange, "xread": _xread, "xreadgroup": _xread,
    "xinfo|stream": _xinfo, "xautoclaim": _count_option, "xpending": _xpending,
    "scan": _count_option, "hscan": _count_option, "sscan": _count_option, "zscan": _count_option,
    "srandmember": _random, "hrandfield": _random, "zrandmember": _random,
    "lpop": _random, "rpop": _random, "spop": _random, "zpopmin": _random, "zpopmax": _random,
    "lmpop": _count_option, "zmpop": _count_option, "lpos": _lpos,
    "geosearch": _geo, "georadius": _geo, "georadius_ro": _geo, "georadiusbymember": _geo,
    "georadiusbymember_ro": _geo, "geosearchstore": partial(
        _each, "ZCARD", WORK, "elements", "Search a smaller set."),
    "sort": _sort, "sort_ro": _sort,
    "sinter": _algebra, "sunion": _algebra, "sdiff": _algebra, "zinter": _algebra,
    "zunion": _algebra, "zdiff": _algebra, "sintercard": _algebra, "zintercard": _algebra,
    "sinterstore": _algebra, "sunionstore": _algebra, "sdiffstore": _algebra,
    "zinterstore": _algebra, "zunionstore": _algebra, "zdiffstore": _algebra,
    "zrangestore": _algebra,
    "bitcount": _bits, "bitpos": _bits, "bitop": _bits, "setbit": growth.setbit,
    "bitfield": growth.bitfield, "setrange": growth.setrange,
    "lcs": partial(_each, "STRLEN", 8 * 1024, "bytes", "Compare shorter strings."),
    "dump": partial(_memory, BYTES, "Download it from the Keys page."),
    "copy": partial(_memory, LARGE, "Copy it as a job from the Keys page."),
    "del": partial(_memory, LARGE, "UNLINK frees it aside, so that nobody waits."),
    "json.get": partial(_memory, BYTES, "Name a path inside of it."),
    "json.mget": partial(_memory, BYTES, "Name fewer keys."),
    "json.resp": partial(_memory, BYTES, "Name a path inside of it: JSON.GET key path."),
    "json.objkeys": partial(_memory, LARGE, "Name a path inside of it."),
    "ts.range": _counted, "ts.revrange": _counted, "vsim": _count_option,
    "vrandmember": _random, "vrange": partial(_number, 4, "The count"),
    "memory|usage": _usage, "migrate": _migrate,
    "slowlog|get": _random, "commandlog|get": _random, "acl|log": _random,
    "cluster|getkeysinslot": partial(_number, 3, "The count"),
}  # fmt: skip
