"""Cache policies as a document that is published; ``dashboard.publishing`` does the rest.

``want(server)`` in the transaction of a change, ``publish(who, server)`` after it;
``state(server)`` says what Redis has beside what was decided.
"""

from __future__ import annotations

import functools

from dashboard.caching.namespaces.models import CachePolicy, CachePublication
from dashboard.publishing import looking, wanting, writing
from dashboard.publishing.kinds import Kind
from dashboard.publishing.writing import TROUBLE as TROUBLE
from dashboard.servers.models import Server
from redisops.cache import Document, Publishing


def document(server: Server, version: int) -> Document:
    """The policies that people decided and that hold, as one document."""
    rows = CachePolicy.objects.filter(server=server, archived=None)
    return Document(version, tuple(row.as_policy() for row in rows))


CACHES = Kind(
    area="caching",
    what="cache policies",
    done="It is published: services follow within a second or two.",
    table=CachePublication,
    library=Publishing,
    document=document,
)
want = functools.partial(wanting.want, CACHES)
publish = functools.partial(writing.publish, CACHES)
state = functools.partial(looking.state, CACHES)
