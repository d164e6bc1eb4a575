"""Every change of a policy is a new version, made from the one that a person saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from django.db.models import QuerySet
from django.utils import timezone

from dashboard.audit import record
from dashboard.audit.writing import Who
from dashboard.publishing.models import Policy, What
from redisops.errors import InvalidArgument

Row = TypeVar("Row", bound=Policy)
Read = TypeVar("Read", covariant=True)


class Stored(Protocol[Read]):
    """A row that holds a policy of the library."""

    def as_policy(self) -> Read: ...


class Refused(Exception):
    """What is wrong with the policy, each thing with its field ("" for the whole)."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(sentence for _, sentence in self.problems))


class Unchanged(Refused):
    """What is wanted is what ``policy`` holds already: no version is made of it."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        super().__init__([("", f"Nothing changed: version {policy.version} holds.")])


class Conflict(Exception):
    """The policy has gone on since it was seen; ``policy`` is how it is now, None: gone."""

    def __init__(self, policy: Any, seen: int) -> None:
        self.policy, self.seen = policy, seen
        now = f"{policy} is at version {policy.version} by now" if policy else "It is gone"
        super().__init__(f"{now}; this was made from version {seen}.")


def locked(rows: QuerySet[Row], what: str, seen: int, body: dict[str, Any], **more: Any) -> Row:
    """The one of ``rows``, held until the end of the transaction, if it is still what was seen.

    ``body`` and ``more`` are what its columns are to be. Raises ``Conflict``; and ``Unchanged``
    for a change, or a way back, to what they are already.
    """
    policy = rows.select_for_update(of=("self",)).first()
    if policy is None or policy.version != seen:
        raise Conflict(policy, seen)
    if bool(policy.archived) != (what == What.RESTORE):
        raise Conflict(policy, seen)
    if what in (What.CHANGE, What.ROLL_BACK):
        stored = json.loads(json.dumps(body))  # what is read back has lists where this has tuples
        if stored == policy.body and all(getattr(policy, name) == more[name] for name in more):
            raise Unchanged(policy)
    return policy


def save(
    who: Who, policy: Any, what: str, body: dict[str, Any], action: str, *,
    seen: int, before: Any, reason: str, author: str, **more: Any,
) -> None:  # fmt: skip
    """The next version of ``policy`` and its audit row, within the caller's transaction.

    ``before`` is what it told of itself when it was locked; ``more`` goes into the version's row.
    """
    policy.version, policy.body = seen + 1, body
    policy.archived = timezone.now() if what == What.ARCHIVE else None
    policy.save()
    policy.versions.create(
        number=policy.version, what=what, body=body, author=author, reason=reason, **more
    )
    record(
        who, action, server=policy.server.slug, target=str(policy), before=before,
        after=policy.told(), reason=reason,
    )  # fmt: skip


def readable(stored: Stored[Read]) -> tuple[Read | None, str]:
    """The library's policy of a row, or why there is none."""
    try:
        return stored.as_policy(), ""
    except InvalidArgument as error:
        return None, f"It cannot be read: {error}."
