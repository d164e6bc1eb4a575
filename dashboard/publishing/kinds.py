"""One area's document: what it is made of, where it is in Redis, and how people are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.servers.models import Server
from redisops.documents import Documents, Written


@dataclass(frozen=True)
class Kind:
    """``area`` is the first word of audit actions, URL names, tasks and leases ("limits").

    ``what`` is what a server has of it ("cache policies"), ``done`` the sentence after publishing,
    with ``{version}``. ``table`` extends ``Publication``; ``library`` is the blocking class that
    publishes and reads; ``document`` makes that of a server's policies with a version, and may
    raise InvalidArgument.
    """

    area: str
    what: str
    done: str
    table: Any
    library: type[Documents[Any]]
    document: Callable[[Server, int], Written]

    def there(self, server: Server, client: Any | None = None) -> Any:
        """Publishes to, and reads from, the server; raises what ``Server.client`` does."""
        return self.library(client if client is not None else server.client())
