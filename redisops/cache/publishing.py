"""The published document of cache policies: written, announced, read, obeyed live."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from redisops.cache.policy import Policy, read_policy
from redisops.documents import HEAD as HEAD
from redisops.documents import LAST_VERSION, Documents
from redisops.documents import DocumentError as DocumentError
from redisops.errors import InvalidArgument
from redisops.steps import Awaiting, Blocking

KEY = b"redisops:cache"
CHANNEL = b"redisops:cache:changed"
FORMAT = 1
MOST_BYTES = 1_000_000
MOST_POLICIES = 2_000


@dataclass(frozen=True)
class Document:
    """The policies of all namespaces of one server, with one version."""

    version: int
    policies: tuple[Policy, ...] = ()

    def of(self, namespace: str) -> Policy | None:
        """The policy of a namespace, None where the code's own holds."""
        return next((one for one in self.policies if one.namespace == namespace), None)

    def dumps(self) -> bytes:
        """JSON of at most 1 MB. Raises InvalidArgument for problems, or two policies of one."""
        if type(self.version) is not int or not 0 <= self.version <= LAST_VERSION:
            raise InvalidArgument("the version is a whole number between 0 and 2**53")
        names = [policy.check().namespace for policy in self.policies]
        if len(set(names)) < len(names) or len(names) > MOST_POLICIES:
            raise InvalidArgument(f"one policy for each namespace, at most {MOST_POLICIES:,}")
        rows = [policy.as_dict() for policy in self.policies]
        body = {"format": FORMAT, "version": self.version, "digest": _digest(rows)}
        data = json.dumps({**body, "policies": rows}, separators=(",", ":")).encode()
        if len(data) > MOST_BYTES:
            raise InvalidArgument(f"the document has {len(data):,} bytes; {MOST_BYTES:,} is most")
        return data

    @classmethod
    def loads(cls, data: bytes) -> Document:
        """The document of ``dumps``. Raises DocumentError."""
        if len(data) > MOST_BYTES:
            raise DocumentError(f"the document is longer than {MOST_BYTES:,} bytes")
        try:
            raw = json.loads(data)
            if not isinstance(raw, dict) or raw.get("format") != FORMAT:
                raise DocumentError(f"the document is not of format {FORMAT}")
            rows, version = raw.get("policies"), raw.get("version")
            if type(version) is not int or not 0 <= version <= LAST_VERSION:
                raise DocumentError("the document has no version")
            if not isinstance(rows, list):
                raise DocumentError("the document has no policies")
            if raw.get("digest") != _digest(rows):
                raise DocumentError("the document was changed: its digest is another one")
            return cls(version, tuple(map(read_policy, rows[:MOST_POLICIES])))
        except InvalidArgument as error:
            raise DocumentError(f"the document has a policy that is none: {error}") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, DocumentError):
                raise
            raise DocumentError(f"the document is no JSON: {str(error)[:200]}") from None


def _digest(rows: list[Any]) -> str:
    text = json.dumps(rows, separators=(",", ":"), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


class _Publishing(Documents[Document]):
    key, channel, most_bytes, kind = KEY, CHANNEL, MOST_BYTES, Document


class Publishing(_Publishing, Blocking):
    """Publishes cache policies to the server of one client. One round trip each."""


class AsyncPublishing(_Publishing, Awaiting):
    """``Publishing`` for asyncio."""
