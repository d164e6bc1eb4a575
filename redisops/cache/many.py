"""Many keys in one round trip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from redisops.cache.amending import _Amending
from redisops.cache.body import DOWN, NOTHING, _checked, _How, several
from redisops.cache.names import Name
from redisops.steps import Steps, step


class _Many(_Amending):
    """Many keys in one round trip."""

    @step
    def get_many(self, keys: Iterable[Name]) -> Steps[dict[Name, Any]]:
        """The values that are cached, of up to 1,000 keys. One round trip (one for each node).

        Two where something was invalidated since these entries were last looked at.
        """
        names = several(keys)
        if self._follower is None:
            self._begin_following()
        begun = {key: self.local.begin(name) for key, name in names.items()}
        found = self._held(names)
        asked = {key: name for key, name in names.items() if key not in found}
        if not asked:
            return found
        try:
            if self._owed:
                yield from self._pay(asked.values())
            replies = yield from self._look_at([*asked.values()])
        except DOWN as error:
            for key in asked:
                value = self._without(key, error, NOTHING)
                if value is not NOTHING:
                    found[key] = value
            return found
        for (key, name), reply in zip(asked.items(), replies, strict=True):
            read = None
            if isinstance(reply, DOWN):
                value = self._without(key, reply, NOTHING)
                read = None if value is NOTHING else (value, False)
            elif reply is not None:
                read = self._read(key, name, reply, begun[key])
            if read is None:
                self.counts.misses += 1
            else:
                found[key] = read[0]
        return found

    def _held(self, names: Iterable[Name]) -> dict[Name, Any]:
        """What this process has copies of."""
        now = monotonic()
        found = {}
        for key in names:
            row = self._rows.get(key)
            if row is not None and row[1] > now:
                self.counts.local += 1
                found[key] = row[0]
        return found

    def _look_at(self, names: list[bytes]) -> Steps[list[Any]]:
        """``(entry, PTTL)`` for each that still holds, None for none, errors among them."""
        parts: dict[int, list[int]] = {}
        for at, name in enumerate(names):
            parts.setdefault(self.keys.shard(name), []).append(at)
        commands: list[tuple[Any, ...]] = []
        for shard, ats in parts.items():
            entries = [self.keys.two(names[at])[0] for at in ats]
            commands.append(("MGET", *entries, self.keys.numbers[shard]))
            commands += [("PTTL", entry) for entry in entries]
        told = iter((yield self._fast.calls(commands)))
        found: list[Any] = [None] * len(names)
        judged = []
        for ats in parts.values():
            values = next(told)
            for place, at in enumerate(ats):
                left = next(told)
                if values.__class__ is not list or left.__class__ is not int:
                    judged.append(at)  # refused: the script's answer is the one that counts
                elif values[place] is not None and left != -2:
                    if values[place][2:10] == values[-1]:
                        found[at] = (values[place], left)
                    else:
                        judged.append(at)
        if judged:
            replies = yield self._fast.scripts(
                [("cache_get", self.keys.three(names[at]), ()) for at in judged], repeatable=True
            )
            for at, reply in zip(judged, replies, strict=True):
                found[at] = reply if isinstance(reply, list | Exception) else None
        return found

    @step
    def get_many_or_load(
        self, keys: Iterable[Name], load: Callable[[list[Name]], Any], *,
        tags: Iterable[Name] = (), ttl: float | None = None,
    ) -> Steps[dict[Name, Any]]:  # fmt: skip
        """The values of up to 1,000 keys; ``load(missing keys)`` gives a mapping of those it has.

        One round trip when all are cached (none for what this process has copies of), two and one
        load for those that are not. Where somebody else is loading some of them, the first of
        these is waited for, then the others are asked for in one round trip again: of a batch
        that is loaded elsewhere, all come with the first. What the source does not have is None.
        Its errors pass.
        """
        names, how = several(keys), _How([*tags], ttl)
        if self._follower is None:
            self._begin_following()
        found = self._held(names)
        due: list[Name] = []
        left = [key for key in names if key not in found]
        while left:
            later = yield from self._taken_many(
                {key: names[key] for key in left}, load, how, found, due
            )
            for key in later[:1]:
                found[key] = yield from self._asked(key, self._one(load, key), how)
            left = later[1:]
        for key in due:
            self._refresh(key, self._one(load, key), how)
        return {key: found[key] for key in names}

    def _taken_many(
        self, names: dict[Name, bytes], load: Any, how: _How,
        found: dict[Name, Any], due: list[Name],
    ) -> Steps[list[Name]]:  # fmt: skip
        """Put into ``found`` what is cached or is ours to load; the keys that others are loading.

        ``due`` gets the keys whose value is to be refreshed.
        """
        begun = {key: self.local.begin(name) for key, name in names.items()}
        for name in names.values():
            self._outlive(name)
        token = self._mine()
        args = (token, self._lease_ms, b"")
        until = time.monotonic() + self.policy.lease
        try:
            if self._owed:
                yield from self._pay(names.values())
            replies = yield self._fast.scripts(
                [("cache_take", self.keys.five(name), args) for name in names.values()]
            )
        except DOWN as error:
            replies = [error] * len(names)
        ours: dict[Name, Any] = {}
        later = []
        for (key, name), reply in zip(names.items(), replies, strict=True):
            if isinstance(reply, DOWN):
                known = self._without(key, reply, NOTHING)
                if known is NOTHING:
                    ours[key] = None
                else:
                    found[key] = known
                continue
            read = self._read(key, name, reply, begun[key]) if type(reply[0]) is bytes else None
            if read is not None:
                found[key] = read[0]
                if read[1]:
                    due.append(key)
            elif reply[0] == 1 and name not in self._flights:
                self.counts.misses += 1
                ours[key] = reply[1]
            else:
                later.append(key)
        if ours:
            found |= yield from self._loaded_many(names, ours, load, how, token, until)
        return later

    def _loaded_many(
        self, names: dict[Name, bytes], ours: dict[Name, Any], load: Any, how: _How, token: bytes,
        until: float,
    ) -> Steps[dict[Name, Any]]:  # fmt: skip
        began = time.perf_counter()
        leased = [key for key, stamp in ours.items() if stamp is not None]
        packed: dict[Name, Any] = dict.fromkeys(leased)
        flights = {key: self._flight() for key in ours}
        for key, flight in flights.items():
            flight.stamp, flight.until = ours[key], until
        self._flights |= {names[key]: flight for key, flight in flights.items()}
        try:
            try:
                loaded: Mapping[Name, Any] = yield from self._from_source(
                    lambda: load(list(ours)), how, fall_back=False
                )
                took = (time.perf_counter() - began) / len(ours)
                for key in leased:
                    packed[key] = self._pack(names[key], loaded.get(key), how, took)
            finally:
                if leased:
                    yield from self._stored_many(names, ours, packed, token)
            for key, flight in flights.items():
                flight.end("done", loaded.get(key))
        except Exception as error:
            for flight in flights.values():
                flight.end("failed", error)
            raise
        finally:
            self._landed += 1
            for key, flight in flights.items():
                if self._flights.get(names[key]) is flight:
                    del self._flights[names[key]]
                if not flight.state:
                    flight.end("left")
        return {key: loaded.get(key) for key in ours}

    def _stored_many(
        self, names: dict[Name, bytes], ours: dict[Name, Any], packed: dict[Name, Any], token: bytes
    ) -> Steps[None]:
        try:
            replies = yield self._fast.scripts(
                [
                    ("cache_store", *self._storing(names[key], one, "load", token, ours[key]))
                    for key, one in packed.items()
                ]
            )
            done = _checked(replies)
        except DOWN:
            done = [0] * len(packed)
        for one, was in zip(packed.values(), done, strict=True):
            if one is not None and was:
                size = one.size
                self.counts.bytes += size
            elif one is not None:
                self.counts.unstored += 1

    _one: Any
    _begin_following: Any
