"""The published document: all policies of a server with one version, as bounded JSON.

It begins with its format, version and a digest of the rest, so that the first bytes tell a reader
whether anything changed. A change that older readers would get wrong raises the format; they refuse
it. Names that a reader does not know are left.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from redisops.documents import HEAD as HEAD
from redisops.documents import LAST_VERSION as LAST_VERSION
from redisops.documents import DocumentError as DocumentError
from redisops.errors import InvalidArgument
from redisops.limits.policy import Policy, read_policy
from redisops.limits.problems import problems

KEY = b"redisops:limits"
CHANNEL = b"redisops:limits:changed"
FORMAT = 1
MOST_BYTES = 2_000_000
MOST_POLICIES = 2_000
SMALL = 4_000  # characters of a policy that is worth remembering
TAG = re.compile(r"[A-Za-z0-9._-]{0,64}")


@dataclass(frozen=True)
class Document:
    """Policies of one version. ``tag``: on a cluster, the hash tag that all limit keys share."""

    version: int
    policies: tuple[Policy, ...] = ()
    tag: str = ""

    @functools.cached_property
    def named(self) -> dict[str, Policy]:
        """The policies by name."""
        return {policy.name: policy for policy in self.policies}

    @functools.cached_property
    def counted_by(self) -> frozenset[str]:
        """The parts of subjects that any policy counts by."""
        return frozenset(part for policy in self.policies for part in policy.subject)

    def dumps(self) -> bytes:
        """JSON, at most 2 MB. Raises InvalidArgument when a policy has problems or two one name."""
        wrong = _wrong(self)
        if wrong:
            raise InvalidArgument(wrong)
        texts = [_text(policy.as_dict()) for policy in self.policies]
        head = {"format": FORMAT, "version": self.version, "digest": _digest(self.tag, texts)}
        start = json.dumps({**head, "tag": self.tag}, separators=(",", ":"))
        data = f'{start[:-1]},"policies":[{",".join(texts)}]}}'.encode()
        if len(data) > MOST_BYTES:
            raise InvalidArgument(f"the document has {len(data):,} bytes; {MOST_BYTES:,} is most")
        return data

    @classmethod
    def loads(cls, data: bytes) -> Document:
        """The document of ``dumps``. Raises DocumentError: corrupt, too long, of a newer format."""
        if len(data) > MOST_BYTES:
            raise DocumentError(f"the document is longer than {MOST_BYTES:,} bytes")
        try:
            raw = json.loads(data, parse_constant=_no_number)
        except RecursionError:
            raise DocumentError("the document is nested too deeply") from None
        except ValueError as error:  # of JSON, of UTF-8, of a number with thousands of digits
            raise DocumentError(f"the document is no JSON: {str(error)[:200]}") from None
        if not isinstance(raw, dict):
            raise DocumentError("the document is no JSON object")
        known = raw.get("format")
        if type(known) is not int or known < 1:
            raise DocumentError("the document does not say its format")
        if known > FORMAT:
            raise DocumentError(
                f"the document has format {str(known)[:20]} and this redisops knows {FORMAT}: "
                "update redisops in this service"
            )
        return _read(raw)


def _read(raw: dict[str, Any]) -> Document:
    policies, tag = raw.get("policies"), raw.get("tag", "")
    if not isinstance(policies, list) or not isinstance(tag, str):
        raise DocumentError("the document has no list of policies")
    texts = [_text(one) for one in policies]
    if "digest" in raw and raw["digest"] != _digest(tag, texts):
        raise DocumentError("the document was changed: its digest is another one")
    if len(texts) > MOST_POLICIES:
        raise DocumentError(f"{len(texts):,} policies are too many; {MOST_POLICIES:,} is the most")
    read = tuple(_known(text) if len(text) < SMALL else _policy(text) for text in texts)
    document = Document(raw.get("version", 0), read, tag)
    wrong = _unfit(document)
    if wrong:
        raise DocumentError(f"the document cannot be used: {wrong}")
    return document


def _policy(text: str) -> Policy:
    """The policy of a JSON text, without problems."""
    try:
        policy = read_policy(json.loads(text))
    except InvalidArgument as error:
        raise DocumentError(f"the document has a policy that is none: {error}") from None
    for problem in problems(policy):
        raise DocumentError(f"policy {policy.name!r:.80}, {problem.field}: {problem.sentence}")
    return policy


# A new document differs from the one before in a policy or two, and twenty processes of one
# machine read it in the same moment: the others are known, and compiled, already.
_known = functools.lru_cache(maxsize=4 * MOST_POLICIES)(_policy)


def _wrong(document: Document) -> str:
    """The first thing that is wrong, "" when nothing is."""
    for policy in document.policies:
        for problem in problems(policy):
            return f"policy {policy.name!r:.80}, {problem.field}: {problem.sentence}"
    return _unfit(document)


def _unfit(document: Document) -> str:
    """What is wrong with the whole, its policies being well."""
    if type(document.version) is not int or not 0 <= document.version <= LAST_VERSION:
        return "its version is not a whole number between 0 and 2**53"
    if not TAG.fullmatch(document.tag):
        return f"its tag {document.tag!r:.80} is not made of letters, digits, '.', '_' and '-'"
    if len(document.policies) > MOST_POLICIES:
        return f"{len(document.policies):,} policies are too many; {MOST_POLICIES:,} is the most"
    names = set()
    for policy in document.policies:
        if policy.name in names:
            return f"two policies have the name {policy.name!r}"
        names.add(policy.name)
    return ""


_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def _digest(tag: str, texts: Iterable[str]) -> str:
    words = "\n".join((_text(tag), *texts))
    return hashlib.blake2b(words.encode(), digest_size=12).hexdigest()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
