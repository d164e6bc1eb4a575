"""Register, beat, judge, set, deregister and read: one script and one round trip each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.exceptions import NoPermissionError, ResponseError

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.replies import text
from redisops.services.changes import Held, leaving, registered, registering, setting
from redisops.services.decoding import ms, pairs, texts
from redisops.services.model import (
    MOST_INSTANCES,
    Beat,
    Reading,
    Registration,
    Replaced,
    Terms,
    instance,
)
from redisops.services.naming import SERVICES, Keys, check_instance, is_service, keys_of
from redisops.services.results import RESULTS
from redisops.steps import Awaiting, Blocking, Steps, step

__all__ = ["AsyncRegistry", "Held", "Judged", "Registry", "reading"]

AT_ONCE = 500
"""Heartbeats in one script."""
REGISTERED_AT_ONCE = 200
MOST_LISTED = 10_000


class Judged(NamedTuple):
    """The answer to a check's result: the state now, whether it changed, whether it flaps."""

    state: str
    changed: bool
    flapping: bool


class _Registry:
    """The services of one Redis. Time is the server's clock; nothing is kept in this object.

    ``client`` is what ``connect`` gave, or a plain redis-py client. Any number of registries, in
    any number of processes, work as one. Errors of connection and server pass through; a lost reply
    to a change is UnknownResult, and every change here may be repeated.
    """

    _fast: Any

    @step
    def register(
        self, who: Registration, *, fence: int = 0, why: str = "registered"
    ) -> Steps[Held]:
        """Register an instance; what was decided about it (maintenance, weight) stays.

        Who registers last under an id holds it; ``fence`` is that of a process which registers
        again (after a flush), and may not take the id back: Replaced then. Two round trips: the
        list of services, which may be refused to a narrow user, and the script.
        """
        (told,) = yield from self._register_all([(who, fence)], why)
        if isinstance(told, Exception):
            raise told
        return told

    @step
    def register_all(
        self, several: Sequence[tuple[Registration, int]], *, why: str = "registered"
    ) -> Steps[list[Held | Exception]]:
        """Register many, each with its fence or 0: what each was answered, errors among them.

        Two round trips for every 200.
        """
        return (yield from self._register_all(several, why))

    def _register_all(
        self, several: Sequence[tuple[Registration, int]], why: str
    ) -> Steps[list[Held | Exception]]:
        found: list[Held | Exception] = []
        for start in range(0, len(several), REGISTERED_AT_ONCE):
            part = several[start : start + REGISTERED_AT_ONCE]
            with contextlib.suppress(NoPermissionError):  # a user of this service alone
                yield self._fast.call("SADD", SERVICES, *{who.service for who, _ in part})
            scripts = [registering(who, fence, why) for who, fence in part]
            if len(scripts) == 1:
                replies = [(yield self._fast.script(*scripts[0]))]
            else:
                replies = yield self._fast.scripts(scripts)
            for (who, _), reply in zip(part, replies, strict=True):
                found.append(reply if isinstance(reply, Exception) else registered(who, reply))
        return found

    @step
    def leave(
        self, held: Sequence[Held], why: str = "deregistered", *, drain: bool = False
    ) -> Steps[None]:
        """Deregister (or ``drain``) many that are held here. A round trip for every 200."""
        for start in range(0, len(held), REGISTERED_AT_ONCE):
            scripts = [
                setting(one.service, one.id, "draining", why, fence=one.fence)
                if drain
                else leaving(one.service, one.id, why, one.fence)
                for one in held[start : start + REGISTERED_AT_ONCE]
            ]
            for reply in (yield self._fast.scripts(scripts)):
                if isinstance(reply, Exception):
                    raise reply

    @step
    def beat(self, held: Sequence[Held]) -> Steps[dict[str, Beat]]:
        """Prolong the leases of these ids, by service: what is missing or was taken over.

        One round trip, one script per service and 500 ids. What is missing registers again.
        """
        by_service: dict[str, list[Held]] = {}
        for one in held:
            by_service.setdefault(one.service, []).append(one)
        scripts, services = [], []
        for service, all_of_it in by_service.items():
            keys = keys_of(service)
            for start in range(0, len(all_of_it), AT_ONCE):
                part = all_of_it[start : start + AT_ONCE]
                services.append(service)
                scripts.append((
                    "service_beat",
                    [keys.lease, keys.own, *(keys.document(one.id) for one in part)],
                    [len(part), *(one.id for one in part), *(one.fence for one in part),
                     *(ms(one.ttl) for one in part)],
                ))  # fmt: skip
        found: dict[str, Beat] = {}
        if len(scripts) == 1:
            replies = [(yield self._fast.script(*scripts[0]))]
        else:
            replies = yield self._fast.scripts(scripts)
        for service, reply in zip(services, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            before = found.get(service, Beat((), ()))
            found[service] = Beat(
                before.missing + texts(reply[1]), before.replaced + texts(reply[2])
            )
        return found

    @step
    def judge(
        self, service: str, id: str, result: str, why: str = "", *, fence: int = 0
    ) -> Steps[Judged]:
        """Count a check's result: ``pass``, ``warn``, ``fail``, ``refused`` (twice) or ``unknown``.

        ``fence`` is that of the process that was checked: a result that comes late counts for
        nothing. ``unknown`` changes nothing. The state is "none" for who is not there.
        """
        if result not in RESULTS:
            raise InvalidArgument(f"{result!r} is none of {sorted(RESULTS)}")
        keys = keys_of(service)
        if result == "unknown":
            return Judged("", changed=False, flapping=False)
        reply = yield self._fast.script(
            "service_check",
            [keys.ver, keys.events, keys.rec, keys.st, keys.cfg, keys.document(check_instance(id))],
            [keys.channel, id, result, (why or f"check: {result}")[:500], fence],
        )
        return Judged(text(reply[0]), bool(reply[1]), bool(reply[2]))

    @step
    def drain(self, service: str, id: str, why: str = "draining", *, fence: int = 0) -> Steps[bool]:
        """Let it end what it does: listed, and no longer picked. Whether it is there."""
        return (yield from self._set(service, id, "draining", why, fence=fence))

    @step
    def maintain(self, service: str, id: str, why: str, *, seconds: float = 0.0) -> Steps[bool]:
        """Take it out of traffic until ``resume``, or for so many seconds. Survives its restart."""
        return (yield from self._set(service, id, "maintenance", why, seconds=seconds))

    @step
    def resume(self, service: str, id: str, why: str = "resumed", *, fence: int = 0) -> Steps[bool]:
        """Back from draining or maintenance: passing, or starting where it has a check."""
        return (yield from self._set(service, id, "resume", why, fence=fence))

    @step
    def reweigh(
        self, service: str, id: str, weight: int | None, why: str = "another weight"
    ) -> Steps[bool]:
        """Another weight than its own, until its record goes; None for its own again."""
        if weight is not None and not 0 <= weight <= 65_535:
            raise InvalidArgument(f"weight {weight} is not 0 to 65,535")
        return (
            yield from self._set(
                service, id, "", why, weight="-" if weight is None else str(weight)
            )
        )

    @step
    def set_state(
        self, service: str, id: str, state: str, why: str, *, fence: int = 0
    ) -> Steps[bool]:
        """The state that an instance says of itself: starting, passing, warning, critical."""
        if state not in ("starting", "passing", "warning", "critical"):
            raise InvalidArgument(f"{state!r} is no state that an instance says of itself")
        return (yield from self._set(service, id, state, why, fence=fence))

    @step
    def deregister(
        self, service: str, id: str, why: str = "deregistered", *, fence: int = 0
    ) -> Steps[bool]:
        """Remove it; whether it was there. With ``fence`` only if no later process holds the id."""
        reply = yield self._fast.script(*leaving(service, check_instance(id), why, fence))
        return text(reply) == "gone"

    @step
    def read(self, service: str, known: Reading | None = None) -> Steps[Reading]:
        """All instances of a service; ``known`` itself when nothing changed. One round trip.

        Two when ``known`` is given and something changed. At most 20,000, above that redis-py's
        ResponseError. Runs with a reader's rights, too, where scripts are refused.
        """
        keys = keys_of(service)
        if known is not None:
            epoch, version = yield self._fast.call("MGET", keys.epoch, keys.ver)
            if (known.epoch, str(known.version)) == (text(epoch or b""), text(version or b"0")):
                return known
        try:
            reply = yield self._fast.script(
                "service_read", [keys.ver, keys.epoch, keys.rec], [MOST_INSTANCES], repeatable=True
            )
        except NoPermissionError:
            reply = yield from self._read_plainly(keys)
        found = text(reply[0]), int(reply[1])
        return reading(service, *found, reply[3], int(reply[2]) / 1000)

    @step
    def services(self, count: int = 1_000) -> Steps[list[str]]:
        """The names of services that ever registered, in order; ``count`` looked at, at most.

        One round trip for each thousand. Names that are none are left out.
        """
        names: set[str] = set()
        cursor = b"0"
        for _ in range(0, min(count, MOST_LISTED), 1_000):
            cursor, page = yield self._fast.call("SSCAN", SERVICES, cursor, "COUNT", 1_000)
            names |= {text(name) for name in page}
            if text(cursor) == "0":
                break
        return sorted(name for name in names if is_service(name))[:count]

    @step
    def terms(self, service: str) -> Steps[Terms]:
        """How its instances are judged; the defaults where nothing (or nonsense) is published."""
        flat = yield self._fast.call("HGETALL", keys_of(service).cfg)
        return Terms.of(dict(pairs(flat)))

    @step
    def set_terms(self, service: str, terms: Terms) -> Steps[None]:
        """Publish how its instances are judged; whoever sweeps or checks obeys from then on."""
        flat = [
            part for name in Terms.__dataclass_fields__ for part in (name, getattr(terms, name))
        ]
        yield self._fast.call("HSET", keys_of(service).cfg, *flat)

    @step
    def forget(self, service: str) -> Steps[bool]:
        """Remove all that is left of a service without instances; whether there were none."""
        keys = keys_of(service)
        if (yield self._fast.call("ZCARD", keys.lease)):
            return False
        for key in keys.all():
            yield self._fast.call("UNLINK", key)
        yield self._fast.call("SREM", SERVICES, service)
        return True

    @step
    def _maintained(self, service: str, id: str) -> Steps[bool]:
        """Resume it, if the end of its maintenance has come."""
        return (yield from self._set(service, id, "over", "its maintenance is over"))

    def _set(
        self, service: str, id: str, to: str, why: str, *,
        fence: int = 0, weight: str = "", seconds: float = 0.0,
    ) -> Steps[bool]:  # fmt: skip
        script = setting(service, id, to, why, fence=fence, weight=weight, seconds=seconds)
        reply = yield self._fast.script(*script)
        said = text(reply[0])
        if said == "replaced":
            raise Replaced(f"{service} {id} was registered by another process later")
        return said != "none"

    def _read_plainly(self, keys: Keys) -> Steps[list[Any]]:
        """By plain commands: the same when nothing was written between them."""
        for _ in range(3):
            ver, epoch, records, after = yield self._fast.calls([
                ("GET", keys.ver), ("GET", keys.epoch), ("HVALS", keys.rec), ("GET", keys.ver),
            ])  # fmt: skip
            for reply in (ver, epoch, records, after):
                if isinstance(reply, ResponseError):
                    raise reply
            if ver == after:
                break
        if len(records) > MOST_INSTANCES:
            raise ResponseError(f"{len(records)} instances are more than {MOST_INSTANCES}")
        return [epoch or b"", ver or b"0", 0, records]


class Registry(_Registry, Blocking):
    __doc__ = _Registry.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = Fast.of(client)


class AsyncRegistry(_Registry, Awaiting):
    __doc__ = _Registry.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = AsyncFast.of(client)


def reading(
    service: str, epoch: str, version: int, records: Iterable[bytes], now: float = 0.0
) -> Reading:
    """The instances of packed records, by id; what is malformed is counted."""
    found = [instance(service, one if isinstance(one, bytes) else one.encode()) for one in records]
    by_id = {one.id: one for one in found if one is not None}
    ordered = tuple([by_id[id] for id in sorted(by_id)])
    return Reading(service, epoch, version, ordered, now, found.count(None))
