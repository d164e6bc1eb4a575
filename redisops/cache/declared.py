"""How the code of services says that it caches: told by each process, the same or not."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from redisops.cache.names import MOST_SHARDS, bytes_of
from redisops.cache.policy import Policy, read_policy
from redisops.errors import InvalidArgument
from redisops.steps import Steps
from redisops.values.calls import checked, send

CODE_EVERY = 60.0  # seconds between two tellings of what the code says
COUNTS_FOR = 180  # seconds for which a process counts after it told
KEEP = 32 * 86_400  # seconds for which what was told last is kept
LONGEST = 4_000  # bytes
LONGEST_PLACE = 400
MOST_PROCESSES = 1_000
MOST_VERSIONS = 8


class Code(NamedTuple):
    """The policy that services' code holds, as one of them said ``at`` seconds since 1970.

    ``shards``: into how many the namespace is spread, None where an older version told nothing of
    it; ``place``: what stands before its keys. ``processes``: those that said the same within
    three minutes ("host:pid"), the last one first; none when nobody told lately.
    """

    at: int
    policy: Policy
    shards: int | None = None
    place: str = ""
    processes: tuple[str, ...] = ()


def code_keys(namespace: str) -> tuple[bytes, bytes, bytes]:
    """What was told last, what there is by digest, who told which and when."""
    place = b"redisops:cache:{%b}:stats:" % namespace.encode()
    return place + b"code", place + b"codes", place + b"tellers"


def telling_code(
    policy: Policy, at: float, shards: int, place: str
) -> tuple[str, list[bytes], list[Any]]:
    """The script by which this process tells how, and where, its code caches."""
    said, digest, process = _saying(policy, shards, place)
    args = [_text({"at": int(at), **said}), digest, process, KEEP, COUNTS_FOR]
    return "cache_code", list(code_keys(policy.namespace)), args


def forgetting_code(policy: Policy, shards: int, place: str) -> tuple[bytes, str]:
    """The sorted set, and its member that goes when this process no longer says so."""
    _, digest, process = _saying(policy, shards, place)
    return code_keys(policy.namespace)[2], f"{digest} {process}"


def _saying(policy: Policy, shards: int, place: str) -> tuple[dict[str, Any], str, str]:
    said = {"policy": policy.as_dict(), "shards": shards, "place": place}
    digest = hashlib.blake2b(_text(said).encode(), digest_size=8).hexdigest()
    return said, digest, f"{socket.gethostname()[:100]}:{os.getpid()}"


def read_codes(client: Any, namespace: str) -> Steps[list[Code]]:
    """See ``Statistics.codes``. One round trip, two where processes differ."""
    last, by_digest, tellers = code_keys(namespace)
    replies = yield from send(
        client,
        [
            (None, ("GETRANGE", last, 0, LONGEST)),
            (None, ("ZREVRANGE", tellers, 0, MOST_PROCESSES - 1, "WITHSCORES")),
        ],
    )
    text, rows = map(checked, replies)
    processes = _processes(rows)
    newest = read_code(namespace, text)
    if len(processes) < 2:
        told = next(iter(processes.values()), ())
        return [newest._replace(processes=tuple(told))] if newest else []
    texts = yield from send(client, [(None, ("HMGET", by_digest, *processes))])
    found = [
        code._replace(processes=tuple(told))
        for text, told in zip(checked(texts[0]), processes.values(), strict=True)
        if (code := read_code(namespace, text or b"")) is not None
    ]
    return found or ([newest] if newest else [])


def read_code(namespace: str, text: bytes) -> Code | None:
    """What one process told; None for nothing, and for what somebody else wrote."""
    try:
        raw: Any = json.loads(text) if 0 < len(text) <= LONGEST else None
        if not isinstance(raw, dict):
            return None
        at, policy = raw["at"], read_policy(raw["policy"])
        if policy.namespace != namespace:
            return None
        at = at if type(at) is int and 0 <= at < 2**40 else 0
        shards, place = raw.get("shards"), raw.get("place")
        return Code(
            at, policy,
            shards if type(shards) is int and 1 <= shards <= MOST_SHARDS else None,
            place if isinstance(place, str) and len(place) <= LONGEST_PLACE else "",
        )  # fmt: skip
    except (InvalidArgument, ValueError, LookupError, TypeError, RecursionError):
        return None  # somebody else wrote it


def _processes(rows: Sequence[Any]) -> dict[bytes, list[str]]:
    """By digest, the newest first: who told it within three minutes of the last that told."""
    found: dict[bytes, list[str]] = {}
    if rows and not isinstance(rows[0], list | tuple):
        rows = list(zip(rows[::2], rows[1::2], strict=True))
    for member, at in rows:
        if float(at) < float(rows[0][1]) - COUNTS_FOR:
            break
        digest, _, process = bytes_of(member).partition(b" ")
        if digest in found or len(found) < MOST_VERSIONS:
            found.setdefault(digest, []).append(process.decode("utf-8", "replace")[:120])
    return found


_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
