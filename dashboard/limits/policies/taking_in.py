"""Policies from JSON: read all first, then create or change each by the usual door."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from django.http import HttpRequest

from dashboard.accounts.models import Team
from dashboard.limits import publishing
from dashboard.limits.policies import changing
from dashboard.limits.policies.models import LimitPolicy
from dashboard.publishing.versions import Conflict, Refused, readable
from dashboard.publishing.writing import Published
from dashboard.servers.models import Server
from dashboard.ui.errors import Forbidden
from redisops.errors import InvalidArgument
from redisops.limits.policies import Policy, Problem
from redisops.limits.subjects import without_secrets

MOST = 100
LONGEST = 1_000_000


@dataclass
class Result:
    """What became of each policy, by name: "created", "changed", "the same", or why not."""

    done: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    published: Published | None = None

    @property
    def is_well(self) -> bool:
        return not self.refused

    @property
    def words(self) -> str:
        said = ", ".join(f"{name} {what}" for name, what in self.done.items()) or "Nothing to do"
        return f"{said}.{f' {self.published.sentence}' if self.published else ''}"


def read(text: str) -> list[Policy]:
    """One policy, a list of them, or an export; ValueError with a sentence for anything else."""
    if len(text) > LONGEST:
        raise ValueError(f"The text is longer than {LONGEST:,} characters.")
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"This is no JSON: {error}.") from None
    if isinstance(found, dict) and "policies" in found:
        found = found["policies"]
    rows = found if isinstance(found, list) else [found]
    if not 1 <= len(rows) <= MOST:
        raise ValueError(f"There are {len(rows)} policies in it; 1 to {MOST} can be taken in.")
    try:
        policies = [without_secrets(Policy.from_dict(row)) for row in rows]
    except InvalidArgument as error:
        raise ValueError(f"One of them is no policy: {error}.") from None
    if len({one.name for one in policies}) < len(policies):
        raise ValueError("Two policies have the same name.")
    return policies


def take(
    request: HttpRequest, server: Server, policies: list[Policy], team: Team | None, reason: str
) -> Result:
    """Create or change each; one that is refused holds no other up. Published once, at the end."""
    result = Result()
    known = {
        row.name: row for row in LimitPolicy.objects.filter(server=server).select_related("team")
    }
    for policy in policies:
        row = known.get(policy.name)
        try:
            result.done[policy.name] = _take(request, server, policy, row, team, reason)
        except (Refused, Conflict) as error:
            result.refused[policy.name] = str(error)
        except Forbidden as error:
            result.refused[policy.name] = f"You may not {error.right}."
    if any(what in ("created", "changed") for what in result.done.values()):
        result.published = publishing.publish(request, server)
    return result


def _take(
    request: HttpRequest, server: Server, policy: Policy, row: LimitPolicy | None,
    team: Team | None, reason: str,
) -> str:  # fmt: skip
    why = reason or "imported"
    if row is None:
        done = changing.create(request, server, policy, why, team=team, at_once=False)
        return "created" if done.policy else "waits for a second person"
    row.server = server
    if row.archived:
        raise Refused([Problem("name", "A deleted policy has this name: restore it.")])
    now, _ = readable(row)  # what cannot be read is written anew
    if now is not None and now == replace(policy, version=now.version, owner=now.owner):
        return "the same"
    done = changing.change(request, row, policy, why, at_once=False)
    return "changed" if done.policy else "waits for a second person"
