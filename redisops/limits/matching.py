"""Which policies a request falls under, in microseconds for hundreds of them.

The paths of all policies are one tree of segments; a request walks it once, in every branch at the
same time, so the work is linear in the path whatever the patterns are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from redisops.limits.model import Limit
from redisops.limits.paths import Paths
from redisops.limits.policy import Policy
from redisops.limits.subjects import Banned, Said, Subjects, subject_of

__all__ = ["Asked", "Matched", "Matcher", "subject_of"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the policies see it. ``path``: decoded, as the application routes by it.

    ``service``: "" for the book's own. ``ip``: the client's own address
    (``addresses.client_address`` finds it behind proxies). ``user`` and ``api_key``: verified
    ones; empty when there is none. ``headers``: names in any case.
    ``priority``: of the service's own choice, for concurrency policies with shares.
    """

    service: str = ""
    method: str = ""
    path: str = ""
    ip: str = ""
    user: str = ""
    api_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    priority: str = "normal"


class Matched(NamedTuple):
    """A policy that a request falls under, and whose count it is there.

    ``exempt``: the end of the subject's exemption, ``banned``: its ban; None for neither. They
    hold until their end: whoever decides compares it with its clock.
    """

    policy: Policy
    subject: bytes
    limit: Limit
    exempt: float | None = None
    banned: Banned | None = None


class _Rule(NamedTuple):
    policy: Policy
    limit: Limit
    service: str | None  # None: any
    methods: frozenset[str] | None  # None: all
    parts: tuple[str, ...]
    exempt: Said[float]
    banned: Said[Banned]


class Matcher:
    """The policies of one service, compiled. Immutable, so any thread may use it.

    ``service``: policies of others are left out; ``*`` takes all, for a door of many services.
    """

    def __init__(self, policies: Iterable[Policy], service: str = "*") -> None:
        self.service = service
        self._rules = tuple(
            _rule(policy)
            for policy in sorted(policies, key=lambda policy: (policy.order, policy.name))
            if policy.mode != "off" and (service == "*" or policy.service in ("*", service))
        )
        self._paths = Paths([rule.policy.path for rule in self._rules])

    def match(self, asked: Asked) -> tuple[Matched, ...]:
        """The policies (off ones left out) that the request falls under, by (order, name).

        Pure; linear in the length of the path.
        """
        service = asked.service or self.service
        method = asked.method
        rules = self._rules
        subjects = Subjects(asked)
        found = []
        for number in self._paths.match(asked.path):
            policy, limit, only, methods, parts, exempt, banned = rules[number]
            if methods is not None and method not in methods:
                continue
            if only is not None and only != service:
                continue
            subject = subjects.of(parts)
            if subject is None:
                continue
            if exempt or banned:
                ip = asked.ip
                found.append(
                    Matched(policy, subject, limit, exempt.of(subject, ip), banned.of(subject, ip))
                )
            else:
                found.append(Matched(policy, subject, limit))
        return tuple(found)


def explain(policies: Iterable[Policy], asked: Asked) -> list[tuple[Policy, str]]:
    """Each policy by (order, name), with why it does not apply, "" where it does.

    For people who test a request, not for speed.
    """
    ordered = sorted(policies, key=lambda policy: (policy.order, policy.name))
    return [(policy, _why_not(policy, asked)) for policy in ordered]


def _why_not(policy: Policy, asked: Asked) -> str:
    if policy.mode == "off":
        return "It is off."
    if policy.service not in ("*", asked.service):
        return f"It is for the service {policy.service}."
    if policy.methods and asked.method not in policy.methods:
        return f"It is for {', '.join(policy.methods)}."
    if not Paths([policy.path]).match(asked.path):
        return f"Its path {policy.path} is another one."
    if subject_of(policy, asked) is None:
        return f"The request lacks a part of its subject: {', '.join(policy.subject)}."
    return ""


def _rule(policy: Policy) -> _Rule:
    return _Rule(
        policy,
        policy.as_limit(),
        None if policy.service == "*" else policy.service,
        frozenset(policy.methods) or None,
        policy.subject,
        Said(policy.subject, [(one.subject, one.until) for one in policy.exempt]),
        Said(
            policy.subject, [(one.subject, Banned(one.until, one.reason)) for one in policy.banned]
        ),
    )
