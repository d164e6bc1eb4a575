"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access

    access.register("caching.eviction", Role.ADMIN, "change the limit and policy of eviction")
    audit.register(
        {
            "caching.eviction": audit.Words(
                "Changed what is evicted", "change what is evicted", mark="eviction"
            ),
            "caching.eviction_back": audit.Words(
                "Rolled back what is evicted, {target}", "roll back what is evicted",
                mark="eviction",
            ),
            "caching.rewrite": audit.Words(
                "Wrote the settings into the configuration file",
                "write the settings into the configuration file",
            ),
        }
    )  # fmt: skip
