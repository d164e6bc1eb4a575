"""Rate limits as a document that is published; ``dashboard.publishing`` does the rest."""

from __future__ import annotations

import functools

from dashboard.limits.policies import reading
from dashboard.limits.publishing.models import Publication
from dashboard.publishing import looking, wanting, writing
from dashboard.publishing.kinds import Kind
from dashboard.servers.models import Server
from redisops.limits.policies import Document
from redisops.limits.publishing import Publishing

TAG = "redisops"
"""On a cluster: what the names of all limits' keys share, so that one decision is one slot."""


def document(server: Server, version: int) -> Document:
    """All policies of the server that are not deleted, as one document."""
    tag = TAG if server.endpoint.topology == "cluster" else ""
    return Document(version, tuple(row.as_policy() for row in reading.current(server)), tag)


LIMITS = Kind(
    area="limits",
    what="policies",
    done="Published as document {version}: services follow within a second.",
    table=Publication,
    library=Publishing,
    document=document,
)
want = functools.partial(wanting.want, LIMITS)
publish = functools.partial(writing.publish, LIMITS)
state = functools.partial(looking.state, LIMITS)


def asks_second(server: Server) -> bool:
    """Whether a change waits here until a second person lets it through."""
    return server.is_production and bool(wanting.of(LIMITS, server).second_person)
