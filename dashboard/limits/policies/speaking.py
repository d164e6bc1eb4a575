"""A policy's sentence, with the words marked that are fields of the form."""

from __future__ import annotations

import re

from dashboard.publishing.wording import Said
from redisops.limits.policies import Policy, sentence

_TIME = r"[\d,.]+ (?:second|minute|hour|day)s?"
_FIELDS = (
    r"(?<=^Each )(?:pair of |combination of )?.+?(?= may )",
    r"^All together",
    r"(?<= may make )[\d,]+ .*?requests?(?= to )",
    r"(?<= may have )[\d,]+ .*?requests?(?= to )",
    r"(?<= to )\S+(?= of )|any path|any service|(?<= the service )[\w.-]+",
    rf"\ban? (?:second|minute|hour|day)\b|(?<= in ){_TIME}|(?<= after ){_TIME}",
    r"at most [\d,]+ at once|(?<=counts as )[\d,]+",
)
_MARKED = re.compile("|".join(f"(?:{one})" for one in _FIELDS))


def spoken(policy: Policy | None) -> Said:
    """What it does, ready to be shown; nothing for no policy."""
    if policy is None:
        return Said([])
    rule, _, rest = sentence(policy).partition(". ")
    rule = f"{rule.rstrip('.')}."
    pieces: list[tuple[str, bool]] = []
    at = 0
    for found in _MARKED.finditer(rule):
        pieces += [(rule[at : found.start()], False), (found[0], True)]
        at = found.end()
    pieces.append((rule[at:], False))
    return Said([one for one in pieces if one[0]], rest)
