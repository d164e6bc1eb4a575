"""What a policy does, in plain English."""

from __future__ import annotations

from redisops.limits.model import BUCKETS
from redisops.limits.policy import Policy

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_PARTS = {"user": "user", "ip": "address", "api_key": "API key"}
_MANNERS = {
    "token_bucket": "counted by a token bucket",
    "gcra": "spaced evenly",
    "leaky_bucket": "counted by a leaky bucket",
    "fixed_window": "counted in windows from the first request on",
    "sliding_counter": "counted over a sliding window",
    "sliding_log": "counted exactly, request by request",
}


def sentence(policy: Policy) -> str:
    """What the policy does, in plain English, for people who decide whether to save it.

    Of a policy without ``problems``; of another it says what it can.
    """
    said = [_rule(policy), _mode(policy)]
    if policy.mode != "off":
        lacking = [_part(part) for part in policy.subject if part != "global"]
        if lacking and policy.subject != ("ip",):
            said.append(f"Requests without {_listed(lacking, 'or')} are not limited by it.")
        if policy.mode == "enforce":
            said.append(_failure(policy))
        said.extend(_subjects(policy))
    return " ".join(said)


def _rule(policy: Policy) -> str:
    who = "All together"
    if policy.subject != ("global",):
        parts = _listed([_part(part) for part in policy.subject], "and")
        who = f"Each {parts}" if len(policy.subject) == 1 else f"Each pair of {parts}"
        if len(policy.subject) > 2:
            who = f"Each combination of {parts}"
    methods = f"{_listed(list(policy.methods), 'or')} " if policy.methods else ""
    requests = f"{methods}request{'' if policy.limit == 1 else 's'}"
    where = "any path" if policy.path in ("*", "/**") else policy.path
    where += " of any service" if policy.service == "*" else f" of the service {policy.service}"
    if policy.algorithm == "concurrency":
        kept = f"; a place that is never given back is free after {_time(policy.period)}"
        return f"{who} may have {policy.limit:,} {requests} to {where} in flight at once{kept}."
    much = f"{policy.limit:,} {requests} to {where} {_per(policy.period)}"
    more = f", {_MANNERS.get(policy.algorithm, policy.algorithm)}"
    if policy.algorithm in BUCKETS:
        more += f", at most {policy.burst or policy.limit:,} at once"
    if policy.cost != 1:
        more += f"; each request counts as {policy.cost:,}"
    return f"{who} may make {much}{more}."


def _part(part: str) -> str:
    kind, _, header = part.partition(":")
    return f"{header} header" if kind == "header" else _PARTS.get(part, part)


def _mode(policy: Policy) -> str:
    if policy.mode == "off":
        return "It is off: nothing is counted or denied."
    if policy.mode == "shadow":
        return "In shadow: what is above is counted and told of, and nothing is denied."
    return "What is above is denied."


def _failure(policy: Policy) -> str:
    if policy.on_failure == "closed":
        return "While Redis is away everything is denied."
    if policy.on_failure == "local":
        return "While Redis is away each process of the service allows its share of the limit."
    return "While Redis is away everything is let through."


def _subjects(policy: Policy) -> list[str]:
    said = []
    for entries, what in ((policy.exempt, "exempt"), (policy.banned, "banned")):
        if entries:
            are = "subject is" if len(entries) == 1 else "subjects are"
            said.append(f"{len(entries):,} {are} {what} for a time.")
    if policy.shares:
        parts = [f"{name} {share:.0%}" for name, share in policy.shares]
        said.append(f"Of the places each class may fill a part: {_listed(parts, 'and')}.")
    return said


def _listed(words: list[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _time(seconds: float) -> str:
    for size, name in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"


def _per(seconds: float) -> str:
    for size, name in _UNITS:
        if seconds == size:
            return f"{'an' if name == 'hour' else 'a'} {name}"
    return f"in {_time(seconds)}"
