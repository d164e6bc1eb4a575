"""What is in a cache, for people: its entries, one of them in full, what an end would take."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redisops.cache import entry as entries
from redisops.cache.described import Described, Entries, Preview, State
from redisops.cache.errors import Poisoned
from redisops.cache.names import ALL, Keys, Name, bytes_of, prefix_mark, tag_mark
from redisops.cache.policy import NAMESPACE, Policy
from redisops.errors import InvalidArgument
from redisops.keys import glob_escape
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_cluster, is_wrong_type, send
from redisops.walks import Walk

MOST_LOOKED_AT = 20_000
LARGEST_BODY = 1_048_576
_BEGINNING = 1024  # bytes of an entry that are read to know its marks; more for those that need it


class _Inspector:
    """Looks at the entries of any namespace; writes nothing and counts as nobody's hit.

    ``client``: of ``connect`` or plain redis-py. ``shards`` and ``place``: as the services' caches
    say (``Statistics.code`` tells; 16 on a cluster, else 1, and nothing before the keys).
    ``policy``: the one that holds now, by which caches judge entries without a TTL of their own;
    without it they are judged by what they were stored for. Entries are found by SCAN, some at a
    time; commands: SCAN, DBSIZE, GETRANGE, STRLEN, PTTL, ZMSCORE, GET. Raises Redis's errors,
    NoPermissionError among them, and InvalidArgument for what is no namespace. To invalidate:
    ``Cache(client, namespace, follow=False).invalidate_tag(…)``.
    """

    def __init__(
        self, client: Any, shards: int | None = None, place: str = "",
        policy: Policy | None = None,
    ) -> None:  # fmt: skip
        self.client, self.place, self.policy = client, place, policy
        self.shards = shards or (16 if is_cluster(client) else 1)

    @step
    def entries(
        self, namespace: str, match: bytes = b"*", cursor: str | None = None, count: int = 100
    ) -> Steps[Entries]:
        """About ``count`` (at most 1,000) entries whose key matches the glob pattern.

        A few round trips, a second at most, however large the server: there may be none in what
        was looked at although there are more at ``cursor``. Order: SCAN's.
        """
        if not 1 <= count <= 1000:
            raise InvalidArgument(f"count {count} is not between 1 and 1,000")
        keys = self._keys(namespace)
        walk = Walk(self.client, cursor, self._pattern(keys, match), "string", 20, wanted=count)
        rows: list[Described] = []
        while walk.goes_on(len(rows)):
            found = yield from walk.scan()
            rows += yield from self._described(keys, sorted(set(found)))
        return Entries(tuple(rows), walk.cursor(), walk.scanned, walk.total)

    @step
    def describe(self, namespace: str, key: Name) -> Steps[Described | None]:
        """The entry of a key in full, with its body; None when there is none. Two round trips."""
        keys = self._keys(namespace)
        raw = bytes_of(key)
        rows = yield from self._described(keys, [keys.two(raw)[0]], of=raw, bodies=True)
        return rows[0] if rows else None

    @step
    def preview(
        self, namespace: str, *, key: Name | None = None, tag: Name | None = None,
        prefix: Name | None = None, most: int = MOST_LOOKED_AT,
    ) -> Steps[Preview]:  # fmt: skip
        """What the end of a key, a tag, a prefix or (none of them) the namespace would take.

        At most ``most`` keys of the server are looked at, for a second at most; what has ended
        already and what is foreign is left out. Raises InvalidArgument for two of them at once.
        """
        if sum(one is not None for one in (key, tag, prefix)) > 1:
            raise InvalidArgument("a key, a tag or a prefix, not two of them")
        keys = self._keys(namespace)
        if key is not None:
            rows = yield from self._described(keys, [keys.two(bytes_of(key))[0]], bytes_of(key))
            going = [row for row in rows if row.state in ("fresh", "stale")]
            return Preview.of(going, 1, 1, is_complete=True)
        mark = None
        below = b"*"
        if tag is not None:
            mark = tag_mark(tag)
        elif prefix is not None:
            mark = prefix_mark(prefix)
            if len(bytes_of(prefix)) <= 200:
                below = glob_escape(bytes_of(prefix)) + b"*"
        walk = Walk(
            self.client, None, self._pattern(keys, below), "string", max(1, min(most // 1000, 1000))
        )
        going = []
        while walk.goes_on(len(going)):
            found = yield from walk.scan()
            for row in (yield from self._described(keys, sorted(set(found)))):
                marks = [*(b"t:" + one for one in row.tags), *(b"p:" + one for one in row.prefixes)]
                if row.state in ("fresh", "stale") and (mark is None or mark in marks):
                    going.append(row)
        return Preview.of(going, walk.scanned, walk.total, is_complete=walk.cursor() is None)

    def _keys(self, namespace: str) -> Keys:
        if not NAMESPACE.fullmatch(namespace):
            raise InvalidArgument(f"{namespace[:80]!r} is no namespace of a cache")
        return Keys(namespace, self.shards, self.place)

    def _pattern(self, keys: Keys, match: bytes) -> bytes:
        first = glob_escape(self.place.encode()) + keys.entries[0][len(self.place.encode()) :]
        return first + match if keys.shards == 1 else first[:-3] + b"*}:" + match

    def _described(
        self, keys: Keys, names: Sequence[bytes], of: bytes | None = None, *, bodies: bool = False
    ) -> Steps[list[Described]]:
        """Those of the keys that there are. Two round trips, three for entries with many marks."""
        known = [(name, place) for name in names if (place := keys.place_of(name)) is not None]
        until = _BEGINNING if not bodies else LARGEST_BODY + 8192
        commands: list[tuple[Any, Sequence[Any]]] = []
        for name, _ in known:
            commands += [
                (None, ("GETRANGE", name, 0, until - 1)), (None, ("STRLEN", name)),
                (None, ("PTTL", name)),
            ]  # fmt: skip
        replies = yield from send(self.client, commands)
        longer = [
            at for at in range(0, len(replies), 3)
            if type(replies[at]) is bytes and _marks_end(replies[at]) > len(replies[at]) >= until
        ]  # fmt: skip
        more = yield from send(
            self.client, [(None, ("GETRANGE", known[at // 3][0], 0, 8191)) for at in longer]
        )
        for at, reply in zip(longer, more, strict=True):
            replies[at] = checked(reply)
        rows: list[Described] = []
        places: list[tuple[int, float, list[bytes]]] = []
        for (name, place), data, size, left in zip(
            known, replies[::3], replies[1::3], replies[2::3], strict=True
        ):
            if is_wrong_type(data):
                key = name[len(keys.entries[place]) :]
                rows.append(Described(key, name, "foreign", why="a key of another type"))
                places.append((place, 0.0, []))
                continue
            if checked(left) == -2 or (not checked(data) and not checked(size)):
                continue  # gone since
            row, stamp = _read(keys, place, name, data, int(size), int(left), of, self.policy)
            if row.body and not bodies:
                row = replace(row, body=b"")
            rows.append(row)
            marks = [*(b"t:" + one for one in row.tags), *(b"p:" + one for one in row.prefixes)]
            places.append((place, stamp, marks))
        ends = yield from self._ends(keys, places)
        return [
            replace(row, state="ended", ended_by=_named(end))
            if row.state != "foreign" and end is not None else row
            for row, end in zip(rows, ends, strict=True)
        ]  # fmt: skip

    def _ends(
        self, keys: Keys, places: Sequence[tuple[int, float, list[bytes]]]
    ) -> Steps[list[bytes | None]]:
        """By which mark each entry has ended; None where it has not. One round trip."""
        wanted: dict[int, dict[bytes, None]] = defaultdict(dict)
        for place, _, marks in places:
            wanted[place] |= dict.fromkeys([b"floor", *marks])
        commands: list[tuple[Any, Sequence[Any]]] = []
        for place, marks_here in wanted.items():
            commands += [
                (None, ("GET", keys.numbers[place])),
                (None, ("ZMSCORE", keys.versions[place], *marks_here)),
            ]
        replies = yield from send(self.client, commands)
        numbers: dict[int, float | None] = {}
        scores: dict[int, dict[bytes, float | None]] = {}
        for (place, marks_here), number, found in zip(
            wanted.items(), replies[::2], replies[1::2], strict=True
        ):
            number = checked(number)
            numbers[place] = struct.unpack(">d", number)[0] if number and len(number) == 8 else None
            scores[place] = dict(zip(marks_here, checked(found), strict=True))
        return [
            _ended_by(stamp, numbers[place], scores[place], marks) for place, stamp, marks in places
        ]


def _ended_by(
    stamp: float, number: float | None, scores: dict[bytes, float | None], marks: Sequence[bytes]
) -> bytes | None:
    if number is not None and number == stamp:
        return None
    floor = scores[b"floor"]
    if number is None or floor is None or number < stamp or floor > stamp:
        return ALL
    return next((mark for mark in marks if (scores[mark] or 0.0) > stamp), None)


def _named(mark: bytes) -> tuple[str, bytes]:
    kinds = {b"t:": "tag", b"p:": "prefix"}
    return (kinds[mark[:2]], mark[2:]) if mark[:2] in kinds else ("namespace", b"")


def _marks_end(data: bytes) -> int:
    return entries.HEAD.unpack_from(data)[-1] + entries.HEAD.size if len(data) >= 28 else 0


def _read(
    keys: Keys,
    place: int,
    name: bytes,
    data: bytes,
    size: int,
    left: int,
    of: bytes | None,
    policy: Policy | None,
) -> tuple[Described, float]:
    """What the beginning of an entry tells, and its stamp."""
    key = of if of is not None else name[len(keys.entries[place]) :]
    seconds = None if left < 0 else left / 1000
    whole = data if len(data) == size else None
    is_digest = of is None and key.startswith(b"#") and len(key) == 33
    try:
        head = entries.read_head(data, None if is_digest else key, whole)
    except Poisoned as error:
        return Described(key, name, "foreign", left=seconds, size=size, why=str(error)), 0.0
    fresh: float | None = head.life - head.stale if seconds is None else seconds - head.stale
    if policy is not None:
        fresh = policy.fresh_for(
            left, head.life * 1000, head.stale * 1000,
            is_negative=head.is_negative, is_own=head.is_own,
        )  # fmt: skip
        fresh = None if fresh is None else min(fresh / 1000, head.life)
    state: State = "ended" if fresh is None else "fresh" if fresh > 0 else "stale"
    return Described(
        key, name, state,
        tags=tuple(mark[2:] for mark in head.marks if mark.startswith(b"t:")),
        prefixes=tuple(mark[2:] for mark in head.marks if mark.startswith(b"p:")),
        left=seconds, fresh=max(0.0, fresh or 0.0),
        age=0.0 if seconds is None else max(0.0, head.life - seconds),
        load=head.load, size=size, is_negative=head.is_negative, is_own=head.is_own,
        why="" if fresh is not None else "by the policy's TTL, which is shorter now",
        body=data[head.begins : head.begins + LARGEST_BODY],
    ), head.stamp  # fmt: skip


class Inspector(_Inspector, Blocking):
    __doc__ = _Inspector.__doc__


class AsyncInspector(_Inspector, Awaiting):
    __doc__ = _Inspector.__doc__
