"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.caching.namespaces.palette import hits
    from dashboard.servers import access
    from dashboard.ui import navigation, palette

    access.register("caching.read", Role.VIEWER, "look at caches")
    access.register("caching.change", Role.OPERATOR, "change caches")
    audit.register(
        {
            "caching.create": audit.Words(
                "Decided how {target} caches", "decide how a namespace caches", mark="policy"
            ),
            "caching.policy": audit.Words(
                "Changed how {target} caches", "change how a namespace caches", mark="policy"
            ),
            "caching.roll_back": audit.Words(
                "Rolled back how {target} caches", "roll back how a namespace caches",
                mark="policy",
            ),
            "caching.archive": audit.Words(
                "Gave {target} back to its code", "give a namespace back to its code", mark="policy"
            ),
            "caching.restore": audit.Words(
                "Restored how {target} caches", "restore how a namespace caches", mark="policy"
            ),
            "caching.publish": audit.Words(
                "Published cache policies, {target}", "publish cache policies", mark="cache"
            ),
            "caching.invalidate": audit.Words(
                "Invalidated {target}", "invalidate cached values", mark="invalidated"
            ),
        }
    )  # fmt: skip
    navigation.register(
        group="Govern", label="Caching", icon="database-zap", url_name="caching:index",
        permission="caching.read", order=20, per_server=True, letter="h",
    )  # fmt: skip
    palette.register(hits)
