"""The one place in Redis where policies are published: written, announced, read."""

from __future__ import annotations

from typing import Any

from redisops.documents import Documents
from redisops.limits.document import CHANNEL, KEY, MOST_BYTES, Document
from redisops.steps import Awaiting, Blocking


class _Publishing(Documents[Document]):
    key, channel, most_bytes, kind = KEY, CHANNEL, MOST_BYTES, Document


class Publishing(_Publishing, Blocking):
    """``publish`` and ``published``, blocking."""


class AsyncPublishing(_Publishing, Awaiting):
    """``publish`` and ``published``, awaiting."""


def publish(client: Any, document: Document) -> str:
    """Write the document and announce it, in one script: ``"published"``. One round trip.

    ``"older"`` when Redis holds a newer version; then nothing is done. The version that is already
    there is written again, which mends what was damaged. Raises InvalidArgument for a document with
    problems, UnknownResult when the reply was lost: publish again, it may be done any number of
    times.
    """
    return Publishing(client).publish(document)


def published(client: Any) -> Document | None:
    """The document in Redis, None when there is none; DocumentError when it is not usable.

    One round trip, at most 2 MB.
    """
    return Publishing(client).published()


def version_there(client: Any) -> int:
    """The version that Redis has, also of a document that cannot be used; 0 when there is none.

    One round trip, 128 bytes. ``publish`` refuses what is older than this.
    """
    return Publishing(client).version()


async def publish_async(client: Any, document: Document) -> str:
    """``publish`` with a client for asyncio."""
    return await AsyncPublishing(client).publish(document)


async def published_async(client: Any) -> Document | None:
    """``published`` with a client for asyncio."""
    return await AsyncPublishing(client).published()
