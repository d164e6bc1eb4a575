"""Whose count a request is: the parts of a policy's subject as bytes that Redis and people see.

One part is itself: ``ann``, ``192.0.2.1``, ``2001:db8::/64``. Several are joined by ``|``, with
``|`` and ``%`` in them as ``%7C`` and ``%25``, so that nobody can pass for somebody else. Secrets
(API keys, and headers that carry them) are shown by their digest: ``key-`` and 24 hex digits;
what is longer than 200 bytes by ``#`` and 32 hex digits, so that no copy of it is large.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from redisops.limits.addresses import Network, grouped, parsed
from redisops.limits.networks import Networks, network_of
from redisops.limits.policy import Ban, Exemption, Policy

if TYPE_CHECKING:
    from redisops.limits.matching import Asked

SECRETS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token", "api-key"}
)
LONGEST = 200  # bytes of a subject that are shown as they are
_FINGERPRINT = re.compile(r"key-[0-9a-f]{24}")


Entry = TypeVar("Entry", Ban, Exemption)


class Banned(NamedTuple):
    """The ban of one subject: its end in seconds since 1970, and why."""

    until: float
    reason: str


Word = TypeVar("Word", float, Banned)


def fingerprint(secret: str) -> str:
    """``key-`` and a digest, under which a secret is counted and shown."""
    raw = secret.encode("utf-8", "surrogatepass")
    return f"key-{hashlib.blake2b(raw, digest_size=12).hexdigest()}"


class Subjects:
    """The subjects of one request, each found once."""

    __slots__ = ("_asked", "_found", "_headers")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._found: dict[tuple[str, ...], bytes | None] = {}
        self._headers: dict[str, str] | None = None

    def of(self, parts: tuple[str, ...]) -> bytes | None:
        """The subject of these parts; None when the request lacks one."""
        try:
            return self._found[parts]
        except KeyError:
            subject = self._found[parts] = self._find(parts)
            return subject

    def _find(self, parts: tuple[str, ...]) -> bytes | None:
        values = []
        for part in parts:
            value = self._part(part)
            if not value:
                return None
            values.append(value)
        return joined(values)

    def _part(self, part: str) -> str:
        asked = self._asked
        if part == "ip":
            return grouped(asked.ip)
        if part == "user":
            return asked.user
        if part == "api_key":
            return fingerprint(asked.api_key) if asked.api_key else ""
        if part == "global":
            return part
        name = part.partition(":")[2].lower()
        if self._headers is None:
            self._headers = {key.lower(): value for key, value in asked.headers.items()}
        value = self._headers.get(name, "")
        return fingerprint(value) if value and name in SECRETS else value


def subject_of(policy: Policy, asked: Asked) -> bytes | None:
    """Whose count the request is under this policy; None when the request lacks a part of it."""
    return Subjects(asked).of(policy.subject)


class Said(Generic[Word]):
    """What is said of subjects, exemptions or bans, of a policy of these parts. Immutable.

    ``written`` are pairs of what people wrote (see ``as_subject``) and what is said of it. Of a
    policy by ``ip`` alone a network, such as ``10.0.0.0/8``, is everybody in it. False where
    nothing is said. Of several that mean one subject the one that ends last holds.
    """

    def __init__(self, parts: tuple[str, ...], written: Iterable[tuple[str, Word]]) -> None:
        self._subjects: dict[bytes, Word] = {}
        networks: list[tuple[Network, Word]] = []
        for subject, entry in written:
            network = network_of(subject) if parts == ("ip",) else None
            if network is not None:
                networks.append((network, entry))
            else:
                meant = as_subject(parts, subject)
                self._subjects[meant] = max(entry, self._subjects.get(meant, entry))
        self._networks: Networks[Word] = Networks(networks)

    def __bool__(self) -> bool:
        return bool(self._subjects or self._networks)

    def of(self, subject: bytes, ip: str) -> Word | None:
        """What is said of this subject, whose address is ``ip``; None for nothing."""
        found = self._subjects.get(subject)
        if self._networks and (address := parsed(ip)) is not None:
            for entry in self._networks.of(address):
                if found is None or entry > found:
                    found = entry
        return found


def entries(parts: tuple[str, ...], written: Iterable[Entry]) -> Iterator[tuple[bytes, Entry]]:
    """Exemptions or bans by the subject that they mean."""
    for entry in written:
        yield as_subject(parts, entry.subject), entry


def as_subject(parts: tuple[str, ...], written: str) -> bytes:
    """The subject that people mean by what they write, for a policy of these parts.

    An IPv6 address means its /64, an API key its digest. A subject of several parts is written as
    it is shown: ``ann|192.0.2.1``.
    """
    if parts == ("ip",):
        return _bytes(grouped(written.strip()))
    return _bytes(as_kept(parts, written))


def as_kept(parts: tuple[str, ...], written: str) -> str:
    """What people write, as it may be stored and shown: of a secret its digest, else itself."""
    if not is_secret(parts) or _FINGERPRINT.fullmatch(written):
        return written
    return fingerprint(written)


def without_secrets(policy: Policy) -> Policy:
    """The policy with the secrets that it names, as exempt or banned, by their digests."""
    if not is_secret(policy.subject):
        return policy

    def kept(given: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(replace(one, subject=as_kept(policy.subject, one.subject)) for one in given)

    return replace(policy, exempt=kept(policy.exempt), banned=kept(policy.banned))


def is_secret(parts: tuple[str, ...]) -> bool:
    """Whether what people write for a policy of these parts is a secret."""
    part = parts[0] if len(parts) == 1 else ""
    return part == "api_key" or part.partition(":")[2].lower() in SECRETS


def joined(values: list[str]) -> bytes:
    """Several parts as one subject, whatever is in them; one part is itself."""
    if len(values) == 1:
        return _bytes(values[0])
    return _bytes("|".join(v.replace("%", "%25").replace("|", "%7C") for v in values))


def _bytes(text: str) -> bytes:
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair is no text, and somebody's subject anyway
        raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= LONGEST:
        return raw
    return b"#" + hashlib.blake2b(raw, digest_size=16).hexdigest().encode()
