"""The document of rate limits of each server: wanted in SQL, published to Redis, compared.

publishing.want(server)                    in the transaction of a change: a new document version
publishing.publish(who, server)            after it: write it to Redis and announce it
publishing.asks_second(server) -> bool     whether a second person must let changes through
publishing.state(server, client) -> State  what is published and what of it is wrong, for pages
"""

from typing import Any

__all__ = ["asks_second", "publish", "state", "want"]


def __getattr__(name: str) -> Any:
    # Models cannot be imported while apps are loading; these names come when first used.
    if name not in __all__:
        raise AttributeError(name)
    from dashboard.limits.publishing import document

    return getattr(document, name)
