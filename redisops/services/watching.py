"""What a watcher needs of Redis: who is registered, verdicts by the hundred, who else watches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

from redisops.errors import UnknownResult
from redisops.fast import AsyncFast, Fast
from redisops.fast.sources import Script, by_digest
from redisops.services.decoding import pairs, texts
from redisops.services.model import MOST_INSTANCES, Reading, Terms
from redisops.services.naming import check_instance, keys_of
from redisops.services.registry import Judged, reading
from redisops.services.results import RESULTS
from redisops.steps import Awaiting, Blocking, Steps, step


class Verdict(NamedTuple):
    """One check's result for ``judge_all``: a word of ``RESULTS``, why, whose fence was checked."""

    service: str
    id: str
    result: str
    why: str = ""
    fence: int = 0


class _Watching:
    """The services of one Redis as a watcher reads and judges them. Nothing is kept in here.

    Errors of connection pass through; what single services refuse comes back by service.
    """

    _fast: Any

    @step
    def read_all(
        self, services: Sequence[str], known: Mapping[str, Reading]
    ) -> Steps[dict[str, Reading | ResponseError]]:
        """Every service; the Reading of ``known`` itself where nothing changed.

        One round trip, one more for all that changed.
        """
        found, _ = yield from self._read_all(services, known, ())
        return found

    @step
    def read_and_tell(
        self, services: Sequence[str], known: Mapping[str, Reading], words: Sequence[Script]
    ) -> Steps[tuple[dict[str, Reading | ResponseError], list[Any]]]:
        """As ``read_all``, and in its first round trip these scripts, with what they answered.

        They must be such as may be lost: where the replies were, only reading is asked again.
        """
        return (yield from self._read_all(services, known, words))

    @step
    def tell(self, words: Sequence[Script]) -> Steps[None]:
        """Say these; what is refused is nobody's trouble. One round trip."""
        yield self._fast.scripts(words, repeatable=True)

    def _read_all(
        self, services: Sequence[str], known: Mapping[str, Reading], words: Sequence[Script]
    ) -> Steps[tuple[dict[str, Reading | ResponseError], list[Any]]]:
        versions = [("MGET", keys_of(one).epoch, keys_of(one).ver) for one in services]
        found: dict[str, Reading | ResponseError] = {}
        changed = []
        replies, answers = yield from self._versions(versions, words)
        for service, reply in zip(services, replies, strict=True):
            if isinstance(reply, ResponseError):
                found[service] = reply
                continue
            if isinstance(reply, Exception):
                raise reply
            epoch, version = texts(part or b"" for part in reply)
            before = known.get(service)
            if before is not None and (before.epoch, str(before.version)) == (
                epoch,
                version or "0",
            ):
                found[service] = before
            else:
                changed.append(service)
        scripts = [
            ("service_read", [keys_of(one).ver, keys_of(one).epoch, keys_of(one).rec],
             [MOST_INSTANCES])
            for one in changed
        ]  # fmt: skip
        replies = yield self._fast.scripts(scripts, repeatable=True)
        for service, reply in zip(changed, replies, strict=True):
            if isinstance(reply, ResponseError):
                found[service] = reply
            elif isinstance(reply, Exception):
                raise reply
            else:
                epoch, version, now, records = reply
                (name,) = texts([epoch])
                found[service] = reading(service, name, int(version), records, int(now) / 1000)
        return found, answers

    def _versions(
        self, versions: list[tuple[Any, ...]], words: Sequence[Script]
    ) -> Steps[tuple[list[Any], list[Any]]]:
        if not words:
            return (yield self._fast.calls(versions)), []
        try:
            replies = yield self._fast.calls([*versions, *by_digest(words)])
        except UnknownResult:
            return (yield self._fast.calls(versions)), []
        replies, answers = replies[: len(versions)], replies[len(versions) :]
        if any(isinstance(one, NoScriptError) for one in answers):
            answers = yield self._fast.scripts(words, repeatable=True)
        return replies, answers

    @step
    def terms_all(self, services: Sequence[str]) -> Steps[dict[str, Terms]]:
        """How instances of each service are judged; what refuses has the defaults. One trip."""
        replies = yield self._fast.calls([("HGETALL", keys_of(one).cfg) for one in services])
        found = {}
        for service, flat in zip(services, replies, strict=True):
            found[service] = Terms.of({} if isinstance(flat, Exception) else dict(pairs(flat)))
        return found

    @step
    def judge_all(self, verdicts: Sequence[Verdict]) -> Steps[list[Judged | ResponseError]]:
        """As ``Registry.judge``, many in one round trip; in order, with what each was answered.

        An unknown one changes nothing and is not sent: its state is "".
        """
        scripts, places = [], []
        found: list[Judged | ResponseError] = [Judged("", False, False)] * len(verdicts)  # noqa: FBT003 - a tuple
        for place, one in enumerate(verdicts):
            if one.result not in RESULTS:
                raise ValueError(f"{one.result!r} is none of {sorted(RESULTS)}")
            if one.result == "unknown":
                continue
            keys = keys_of(one.service)
            places.append(place)
            scripts.append((
                "service_check",
                [keys.ver, keys.events, keys.rec, keys.st, keys.cfg,
                 keys.document(check_instance(one.id))],
                [keys.channel, one.id, one.result,
                 (one.why or f"check: {one.result}")[:500], one.fence],
            ))  # fmt: skip
        replies = yield self._fast.scripts(scripts)
        for place, reply in zip(places, replies, strict=True):
            if isinstance(reply, ResponseError):
                found[place] = reply
            elif isinstance(reply, Exception):
                raise reply
            else:
                (state,) = texts(reply[:1])
                found[place] = Judged(state, bool(reply[1]), bool(reply[2]))
        return found

    @step
    def present(self, key: str, id: str, seconds: float) -> Steps[tuple[str, ...]]:
        """Say that ``id`` is there for so many seconds more, in the sorted set ``key``.

        Returns who is there, in order. Zero seconds leave. One script, by the server's clock.
        """
        reply = yield self._fast.script("watchers", [key], [id, round(seconds * 1000)])
        return tuple(sorted(texts(reply)))

    @step
    def clock(self) -> Steps[float]:
        """The server's clock, seconds since 1970. One round trip."""
        seconds, micros = yield self._fast.call("TIME")
        return int(seconds) + int(micros) / 1e6


class Watching(_Watching, Blocking):
    __doc__ = _Watching.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = Fast.of(client)


class AsyncWatching(_Watching, Awaiting):
    __doc__ = _Watching.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = AsyncFast.of(client)


def share_of(me: str, peers: Iterable[str], name: str) -> bool:
    """Whether ``name`` is this peer's to look after: each name is one peer's, by rendezvous.

    Of n peers each has about an n-th; when one goes, only what was its own moves. A peer that is
    not among ``peers`` counts itself in.
    """
    others = [one for one in peers if one != me]
    if not others:
        return True
    mine = _weight(me, name)
    return all(_weight(one, name) < mine for one in others)


def _weight(peer: str, name: str) -> bytes:
    said = hashlib.blake2b(name.encode(), key=peer.encode()[:64], digest_size=8)
    return said.digest() + peer.encode()
