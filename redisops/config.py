"""What a server is set to, and setting it: CONFIG on every primary, and what outlives a restart.

>>> config = Config(redis)
>>> config.read(["maxmemory", "maxmemory-policy"]).values
{'maxmemory': '104857600', 'maxmemory-policy': 'allkeys-lru'}
>>> config.change({"maxmemory-policy": "allkeys-lfu"})
>>> config.rewrite()
'written'

On a cluster every primary is asked and set; replicas keep what they are set to, as behind
Sentinel. Names and values are text as CONFIG GET spells them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.replies import text
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_refused, nodes, send

Rewritten = Literal["written", "no file", "refused", "failed"]


@dataclass(frozen=True)
class Settings:
    """What the primaries are set to.

    ``values`` is what the first one says; ``differing`` are names on which not all agree, with
    what each says. ``refused`` are Redis's words where CONFIG GET is not allowed (a narrow user, a
    managed service), "" otherwise: then ``values`` is empty.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    differing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refused: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether this server has no CONFIG for anybody: renamed, or kept by a managed service."""
        return _is_unknown(self.refused)


@dataclass(frozen=True)
class Allowed:
    """Why a change is refused, in Redis's words; "" where it is allowed."""

    set: str = ""
    rewrite: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether this server has no CONFIG SET for anybody."""
        return _is_unknown(self.set)


class _Config:
    """CONFIG GET, SET and REWRITE on the primaries behind one client."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def read(self, patterns: Sequence[str]) -> Steps[Settings]:
        """What every primary is set to, by names or glob patterns. One round trip.

        A refused or unknown CONFIG is told in the answer, not raised.
        """
        places = yield from nodes(self.redis)
        asked = [(node, ("CONFIG", "GET", one)) for node in places for one in patterns]
        replies = yield from send(self.redis, asked)
        return settings_of(places, asked, replies)

    @step
    def allowed(self) -> Steps[Allowed]:
        """Whether CONFIG SET and CONFIG REWRITE may be sent, tried between MULTI and DISCARD.

        One round trip to the first primary; nothing is changed.
        """
        [place, *_] = yield from nodes(self.redis)
        tried: list[tuple[str, ...]] = [
            ("MULTI",), ("CONFIG", "SET", "maxmemory-policy", "noeviction"),
            ("CONFIG", "REWRITE"), ("DISCARD",),
        ]  # fmt: skip
        multi, changed, written, discarded = yield from send(
            self.redis, [(place, command) for command in tried]
        )
        for reply in (multi, discarded):
            if isinstance(reply, Exception):
                # Without MULTI nothing may be tried: CONFIG SET would have been carried out.
                return Allowed(str(reply), str(reply))
        return Allowed(_words(changed), _words(written))

    @step
    def change(self, values: Mapping[str, str]) -> Steps[None]:
        """Set all of ``values`` on every primary, on each of them together or not at all.

        One round trip; before Redis 7 one more where there are several values, because these are
        then set one after the other. Raises what the first primary that refuses says: on a cluster
        the others may have taken it (``read`` says so under ``differing``). A lost reply is
        UnknownResult.
        """
        if not values:
            raise InvalidArgument("nothing is to be changed: give at least one setting")
        places = yield from nodes(self.redis)
        pairs = [(name, value) for name, value in values.items()]
        together = [("CONFIG", "SET", *(word for pair in pairs for word in pair))]
        replies = yield from send(self.redis, [(place, together[0]) for place in places])
        if len(pairs) > 1 and any(_is_old(reply) for reply in replies):
            each = [("CONFIG", "SET", *pair) for pair in pairs]
            replies = yield from send(self.redis, [(p, one) for p in places for one in each])
        for reply in replies:
            checked(reply)

    @step
    def rewrite(self) -> Steps[Rewritten]:
        """Write what is set now into every primary's configuration file. One round trip.

        "no file": a server runs without one, and forgets at its restart what was set. "refused":
        this user may not. "failed": the file could not be written.
        """
        places = yield from nodes(self.redis)
        replies = yield from send(self.redis, [(place, ("CONFIG", "REWRITE")) for place in places])
        told: Rewritten = "written"
        for reply in replies:
            if is_refused(reply) or (isinstance(reply, ResponseError) and _is_unknown(str(reply))):
                return "refused"
            if isinstance(reply, ResponseError):
                told = "no file" if "without a config file" in str(reply) else "failed"
            else:
                checked(reply)
        return told


class Config(_Config, Blocking):
    """``_Config`` through a blocking client."""

    __doc__ = _Config.__doc__


class AsyncConfig(_Config, Awaiting):
    """``_Config`` through an awaiting client."""

    __doc__ = _Config.__doc__


def settings_of(
    places: Sequence[Any], asked: Sequence[tuple[Any, Any]], replies: Sequence[Any]
) -> Settings:
    """The settings in the replies to CONFIG GET of each primary."""
    told: dict[str, dict[str, str]] = {_name(place): {} for place in places}
    for (place, _), reply in zip(asked, replies, strict=True):
        if isinstance(reply, ResponseError):
            return Settings(refused=str(reply))
        told[_name(place)].update(pairs_of(checked(reply)))
    every = list(told.values())
    names = dict.fromkeys(name for one in every for name in one)
    differing = {
        name: {place: one.get(name, "") for place, one in told.items()}
        for name in names
        if len({one.get(name) for one in every}) > 1
    }
    return Settings(every[0] if every else {}, differing)


def pairs_of(reply: Any) -> dict[str, str]:
    """CONFIG GET's reply, a dict or a flat list, as text."""
    if isinstance(reply, Mapping):
        pairs = list(reply.items())
    else:
        flat = list(reply)
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
    return {text(name): text(value) for name, value in pairs}


def _name(place: Any) -> str:
    return str(getattr(place, "name", "") or "")


def _words(reply: Any) -> str:
    return str(reply) if isinstance(reply, Exception) else ""


def _is_unknown(words: str) -> bool:
    return "unknown command" in words.lower() or "unknown subcommand" in words.lower()


def _is_old(reply: Any) -> bool:
    """Whether a server knows only CONFIG SET of one setting."""
    return isinstance(reply, ResponseError) and "number of arguments" in str(reply)
