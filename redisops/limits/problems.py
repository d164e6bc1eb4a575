"""What is wrong with a policy, in sentences that say what would be right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from redisops.errors import InvalidArgument
from redisops.limits import patterns, shedding
from redisops.limits.model import ALGORITHMS, BUCKETS, MAX_LIMIT, Limit
from redisops.limits.policy import FAILURES, MODES, Policy

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, 5.6.2
METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}")
PARTS = ("user", "ip", "api_key", "global")
MOST_PARTS = 4
MOST_SUBJECTS = 1_000  # bans, and exemptions, of one policy
LONGEST_SUBJECT = 1_000
LONGEST_NOTE = 2_000
LEASES = (0.05, 3_600)  # seconds for which a place is kept
LAST = 253_402_300_799  # the end of the year 9999


class Problem(NamedTuple):
    """One thing that is wrong with a policy: the field's name, and a sentence that explains."""

    field: str
    sentence: str


def problems(policy: Policy) -> list[Problem]:
    """All that is wrong with a policy, in the order of its fields; empty when it may be used."""
    return [Problem(field, words) for field, words in _all(policy)]


def _all(policy: Policy) -> Iterator[tuple[str, str]]:
    yield from _whom(policy)
    yield from _how_much(policy)
    yield from _what_then(policy)
    yield from _subjects(policy)
    yield from _words(policy)


def _whom(policy: Policy) -> Iterator[tuple[str, str]]:
    rule = 'letters, digits, ".", "_" and "-", at most 64, beginning with a letter or digit'
    if not NAME.fullmatch(policy.name):
        yield "name", f"The name {policy.name!r:.80} is not made of {rule}."
    if policy.service != "*" and not NAME.fullmatch(policy.service):
        yield "service", f'The service {policy.service!r:.80} is not "*" and not made of {rule}.'
    for method in policy.methods:
        if not METHOD.fullmatch(method):
            yield "methods", f"{method!r:.40} is no method: write it like POST, in capitals."
    if len(set(policy.methods)) < len(policy.methods):
        yield "methods", "A method is named twice."
    try:
        patterns.parse(policy.path)
    except InvalidArgument as error:
        yield "path", _sentence(error)
    yield from _parts(policy.subject)


def _parts(subject: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if not 1 <= len(subject) <= MOST_PARTS:
        yield "subject", f"The subject has {len(subject)} parts; it needs 1 to {MOST_PARTS}."
    lowered = [part.lower() for part in subject]
    if len(set(lowered)) < len(lowered):
        yield "subject", "A part of the subject is named twice."
    if "global" in subject and len(subject) > 1:
        yield "subject", '"global" is one count for all: it stands alone.'
    for part in subject:
        kind, _, header = part.partition(":")
        if kind == "header" and not TOKEN.fullmatch(header):
            yield (
                "subject",
                f'{header!r:.80} is no name of a header: write it like "header:X-Team".',
            )
        elif kind != "header" and part not in PARTS:
            known = ", ".join(PARTS)
            yield "subject", f"{part!r:.80} is none of {known} or header:<Name>."


def _how_much(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        yield "algorithm", f"The algorithm {policy.algorithm!r:.40} is none of {known}."
        return
    yield from _limit(policy)
    if not 1 <= policy.cost <= MAX_LIMIT:
        yield "cost", f"The cost {policy.cost} is not between 1 and {MAX_LIMIT}."
    elif policy.algorithm == "concurrency" and policy.cost != 1:
        yield "cost", "One request takes one place: with concurrency the cost is 1."
    elif policy.cost > (policy.burst or policy.limit):
        most = policy.burst or policy.limit
        yield "cost", f"The cost {policy.cost} is above {most}: every request would be denied."
    if policy.shares and policy.algorithm != "concurrency":
        yield "shares", "Priority classes share a concurrency limit; other algorithms have none."
    if len({name for name, _ in policy.shares}) < len(policy.shares):
        yield "shares", "A priority class is named twice."
    if policy.shares:
        try:
            shedding.places(max(policy.limit, 1), dict(policy.shares))
        except InvalidArgument as error:
            yield "shares", _sentence(error)


def _limit(policy: Policy) -> Iterator[tuple[str, str]]:
    places = policy.algorithm == "concurrency"
    if places and not LEASES[0] <= policy.period <= LEASES[1]:
        span = f"from {LEASES[0]} to {LEASES[1]}"
        yield "period", f"After these seconds a lost request's place is free: {span}."
    period = 1.0 if places else policy.period
    try:
        Limit("x", policy.limit, period, policy.algorithm, policy.burst)
    except InvalidArgument as error:
        told = list(_alone(policy, period))
        yield from told or [("period", _sentence(error))]


def _alone(policy: Policy, period: float) -> Iterator[tuple[str, str]]:
    """One field at a time, the others being well, so that each sentence stands at its field."""
    alone: list[tuple[str, dict[str, Any]]] = [
        ("limit", {"limit": policy.limit}),
        ("period", {"period": period}),
    ]
    if policy.burst is not None:
        # As large a limit, so that the bucket does not take too long to refill.
        bucket = {"limit": policy.burst} if policy.algorithm in BUCKETS else {}
        alone.append(("burst", {"burst": policy.burst, **bucket}))
    sound: dict[str, Any] = {"name": "x", "limit": 1, "period": 1.0, "algorithm": policy.algorithm}
    for field, values in alone:
        try:
            Limit(**{**sound, **values})
        except InvalidArgument as error:
            yield field, _sentence(error)


def _what_then(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.mode not in MODES:
        yield "mode", f"The mode {policy.mode!r:.40} is none of {', '.join(MODES)}."
    if policy.on_failure not in FAILURES:
        yield "on_failure", f"{policy.on_failure!r:.40} is none of {', '.join(FAILURES)}."
    if not -1_000_000 <= policy.order <= 1_000_000:
        yield "order", f"The order {policy.order} is not between -1000000 and 1000000."
    if not 0 <= policy.version < 2**53:
        yield "version", f"The version {policy.version} is not between 0 and 2**53."


def _subjects(policy: Policy) -> Iterator[tuple[str, str]]:
    for field, entries in (("exempt", policy.exempt), ("banned", policy.banned)):
        if len(entries) > MOST_SUBJECTS:
            yield field, f"{len(entries)} subjects are too many; {MOST_SUBJECTS} is the most."
        seen = set()
        for entry in entries:
            if not 1 <= len(entry.subject) <= LONGEST_SUBJECT:
                yield field, f"A subject is not 1 to {LONGEST_SUBJECT} characters long."
            elif entry.subject in seen:
                yield field, f"The subject {entry.subject!r:.80} is there twice."
            elif sentence := _network(policy, entry.subject):
                yield field, sentence
            seen.add(entry.subject)
            if not 0 < entry.until <= LAST:
                yield field, f"The end {entry.until} of {entry.subject!r:.80} is no moment."
    both = {one.subject for one in policy.exempt} & {one.subject for one in policy.banned}
    for subject in sorted(both):
        yield "banned", f"The subject {subject!r:.80} is exempt and banned: a ban would win."


def _network(policy: Policy, subject: str) -> str:
    """What is wrong with a subject that looks like a network, of a policy by address alone."""
    if policy.subject != ("ip",) or "/" not in subject:
        return ""
    try:
        network = ipaddress.ip_network(subject.strip(), strict=False)
    except ValueError:
        return f"{subject!r:.80} is no network: write it like 10.0.0.0/8."
    if str(network.network_address) != str(ipaddress.ip_interface(subject.strip()).ip):
        return f"{subject!r:.80} has bits beyond its prefix: write {network}."
    return ""


def _words(policy: Policy) -> Iterator[tuple[str, str]]:
    for field, text in (("note", policy.note), ("owner", policy.owner)):
        if len(text) > LONGEST_NOTE:
            yield field, f"The {field} is {len(text)} characters long; {LONGEST_NOTE} is the most."
    if any(len(ban.reason) > LONGEST_NOTE for ban in policy.banned):
        yield "banned", f"The reason of a ban is longer than {LONGEST_NOTE} characters."


def _sentence(error: InvalidArgument) -> str:
    words = str(error)
    return words[:1].upper() + words[1:] + "."
