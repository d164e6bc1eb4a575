"""One subject under every policy of a server: what it has left, and what people decided on it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import redis

from dashboard.limits import policies
from dashboard.limits.patience import patient
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.publishing.document import TAG
from dashboard.publishing.versions import readable
from dashboard.publishing.writing import words
from dashboard.servers.models import Server
from redisops import keys
from redisops.limits.addresses import Address, parsed
from redisops.limits.concurrency import Concurrency
from redisops.limits.limiter import MOST_AT_ONCE, Limiter
from redisops.limits.model import Part
from redisops.limits.networks import network_of
from redisops.limits.policies import Ban, Exemption, Policy
from redisops.limits.subjects import Entry, as_kept, as_subject, entries
from redisops.resilience.causes import cause_of
from redisops.resilience.words import Cause


@dataclass
class Standing:
    """How one subject stands under one policy. ``part`` is None where nothing was asked."""

    row: LimitPolicy
    policy: Policy
    subject: bytes
    part: Part | None = None
    ban: Ban | None = None
    exemption: Exemption | None = None
    is_network: bool = False

    @property
    def network(self) -> str:
        """The network that the ban, or the exemption, is of; "" where it is the subject's own."""
        of = self.ban or self.exemption
        is_own = of is None or as_subject(self.policy.subject, of.subject) == self.subject
        return "" if of is None or is_own else of.subject

    @property
    def network_url(self) -> str:
        return keys.to_url(self.network.encode())

    @property
    def state(self) -> str:
        if self.ban is not None or (self.part is not None and not self.part.allowed):
            return "warn"
        return "ok"

    @property
    def word(self) -> str:
        """The state as one word, as it is felt: a policy in shadow refuses nobody."""
        if self.ban is not None:
            return "Banned"
        if self.exemption is not None:
            return "Exempt"
        if self.is_network:
            return "Counted by address"
        if self.part is None:
            return "Not known"
        if self.part.allowed:
            return "Within"
        return "Used up" if self.policy.mode == "enforce" else "Used up, in shadow"

    @property
    def used(self) -> int | None:
        return None if self.part is None else max(self.part.limit - self.part.remaining, 0)


@dataclass
class Standings:
    """``missing`` says in words why the server did not tell; ``passed`` count something else.

    What is stored of ``unreadable`` policies is none that this version knows.
    """

    rows: list[Standing] = field(default_factory=list)
    unreadable: list[LimitPolicy] = field(default_factory=list)
    passed: int = 0
    missing: str = ""


def of(server: Server, subject: bytes) -> Standings:
    """One round trip for all limits, one more for all of concurrency; changes nothing."""
    now, found = time.time(), Standings()
    for row in policies.current(server):
        policy, _ = readable(row)
        if policy is None:
            found.unreadable.append(row)
            continue
        if policy.mode == "off" or not _concerns(policy, subject):
            found.passed += 1
            continue
        mine = counted(policy, subject)
        one = Standing(row, policy, mine, is_network=_is_network(policy, mine))
        one.ban = _entry(policy.banned, one, now)
        one.exemption = _entry(policy.exempt, one, now)
        found.rows.append(one)
    try:
        with patient():
            _look(server, found.rows)
    except redis.ResponseError as error:
        if cause_of(error) is not Cause.NOPERM:
            raise
        found.missing = words(error)
    return found


def limiter(server: Server) -> Limiter:
    return Limiter(server.client(), tag=_tag(server))


def concurrency(server: Server) -> Concurrency:
    return Concurrency(server.client(), tag=_tag(server))


def text_of(subject: bytes) -> str | None:
    """The subject as people write it in a policy; None for bytes that are no text."""
    try:
        return subject.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def counted(policy: Policy, subject: bytes) -> bytes:
    """The subject under which the policy counts it: of an IPv6 address its /64, and so on."""
    written = text_of(subject)
    return subject if written is None else as_subject(policy.subject, written)


def kept(policy: Policy, subject: bytes) -> bytes:
    """The subject as it may be written down for a policy: a secret by its digest."""
    written = text_of(subject)
    if written is None:
        return subject
    return as_kept(policy.subject, written).encode("utf-8", "surrogatepass")


def is_digest(subject: bytes) -> bool:
    """Whether it only stands for a subject that is too long to be kept: nobody is called that."""
    return subject.startswith(b"#") and len(subject) == 33


def printable(subject: bytes) -> str:
    return keys.printable(subject[:200]) + ("…" if len(subject) > 200 else "")


def _tag(server: Server) -> str:
    return TAG if server.endpoint.topology == "cluster" else ""


def _look(server: Server, rows: list[Standing]) -> None:
    rows = [one for one in rows if not one.is_network]
    rates = [one for one in rows if one.policy.algorithm != "concurrency"][:MOST_AT_ONCE]
    if rates:
        asked = [(one.policy.as_limit(), one.subject) for one in rates]
        verdict = limiter(server).peek_all(asked)
        for one, part in zip(rates, verdict.parts, strict=True):
            one.part = part
    flying = [one for one in rows if one.policy.algorithm == "concurrency"][:MOST_AT_ONCE]
    if flying:
        asked = [(one.policy.as_limit(), one.subject) for one in flying]
        found = concurrency(server).peek_many(asked)
        for one, verdict in zip(flying, found, strict=True):
            one.part = verdict.parts[0]


def _entry(given: Iterable[Entry], one: Standing, now: float) -> Entry | None:
    """The one in force, of the subject or of a network that it is in: the last to end."""
    parts, address = one.policy.subject, _address(one.policy, one.subject)
    found = [
        entry
        for of, entry in entries(parts, given)
        if entry.until > now and (of == one.subject or _is_in(address, entry.subject))
    ]
    return max(found, key=lambda entry: entry.until, default=None)


def _is_in(address: Address | None, written: str) -> bool:
    network = network_of(written) if address is not None else None
    return network is not None and address in network


def _concerns(policy: Policy, subject: bytes) -> bool:
    """Whether the policy could count such a subject at all, or say something of it."""
    parts = policy.subject
    if len(parts) > 1:
        return subject.count(b"|") == len(parts) - 1
    if parts == ("global",):
        return subject == b"global"
    if parts == ("ip",):
        return _address(policy, subject) is not None or _is_network(policy, subject)
    return True


def _is_network(policy: Policy, subject: bytes) -> bool:
    """Whether it is many addresses: exempt or banned together, each counted for itself."""
    written = text_of(subject)
    return policy.subject == ("ip",) and written is not None and network_of(written) is not None


def _address(policy: Policy, subject: bytes) -> Address | None:
    """Of a policy by address alone the subject's, of a /64 its first."""
    written = text_of(subject) if policy.subject == ("ip",) else None
    return None if written is None else parsed(written.strip().removesuffix("/64"))
