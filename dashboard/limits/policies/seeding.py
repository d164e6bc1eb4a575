"""Policies that the console brings along, written once and then people's own."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from dashboard.limits import publishing
from dashboard.limits.policies import changing
from dashboard.limits.policies.models import LimitPolicy
from dashboard.publishing.models import What
from dashboard.servers.models import Server
from redisops.limits.policies import Policy


def seed(server: Server, new: Iterable[Policy], who: str, reason: str = "") -> list[str]:
    """Add the policies whose names the server never had; returns those names.

    ``who`` stands in the audit ("first start"). Nothing is sent to Redis: beat publishes what is
    wanted within seconds. Two processes at once are safe.
    """
    known = set(LimitPolicy.objects.filter(server=server).values_list("name", flat=True))
    missing = [policy for policy in new if policy.name not in known]
    if not missing:
        return []
    try:
        with transaction.atomic():
            for policy in missing:
                wish = changing.Wish(server, policy.name, What.CREATE, policy, None, reason, 0, who)
                changing.save(who, wish)
            publishing.want(server)
    except IntegrityError:  # another process was quicker
        return []
    return [policy.name for policy in missing]
