"""What the tests of policies share: the form as a browser sends it, and a policy in SQL."""

from __future__ import annotations

from typing import Any

from dashboard.limits.policies import changing
from dashboard.limits.policies.models import LimitPolicy, What
from dashboard.servers.models import Server
from redisops.limits.policies import Policy

HERE = "/servers/shop/limits/"


def typed(**changes: Any) -> dict[str, Any]:
    """The editor's fields, filled as somebody would."""
    return {
        "name": "orders", "service": "orders", "methods": ["POST"], "path": "/orders/**",
        "subject": ["user"], "headers": "", "algorithm": "token_bucket", "limit": "120",
        "period": "1 min", "burst": "20", "cost": "1", "shares": "", "mode": "shadow",
        "on_failure": "local", "order": "0", "note": "", "team": "", "reason": "",
    } | changes  # fmt: skip


def kept(server: Server, name: str = "orders", team: Any = None, **changes: Any) -> LimitPolicy:
    """A policy of ``server``, saved and published as anybody's would be."""
    policy = Policy(name, **{"limit": 60, "period": 60, "mode": "enforce", **changes})
    wish = changing.Wish(server, name, What.CREATE, policy, team, "", 0, "setup")
    done = changing.apply("setup", wish)
    assert done.policy is not None
    return done.policy
