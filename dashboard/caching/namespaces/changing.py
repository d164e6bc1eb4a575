"""Every change of a namespace's policy: a new version in SQL and the audit, then published."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from dashboard.audit.writing import Who
from dashboard.caching.namespaces import publishing
from dashboard.caching.namespaces.models import CachePolicy
from dashboard.publishing import versions
from dashboard.publishing.models import What
from dashboard.publishing.versions import Conflict, Refused, Unchanged
from dashboard.servers.models import Server
from redisops.cache import Policy
from redisops.errors import InvalidArgument

if TYPE_CHECKING:
    from dashboard.publishing.writing import Published

ACTIONS = {What.CHANGE: "caching.policy"}


@dataclass(frozen=True)
class Done:
    """What came of it: the policy in its new version, and what became of publishing it.

    ``published`` is None where nothing was changed: no version was made.
    """

    policy: CachePolicy
    published: Published | None

    @property
    def words(self) -> str:
        if self.published is None:
            return str(Unchanged(self.policy))
        if self.policy.archived:
            state = "given back to its code"
        else:
            state = f"saved as version {self.policy.version}"
        return f"{self.policy.namespace} is {state}. {self.published.sentence}"

    @property
    def is_well(self) -> bool:
        return self.published is None or self.published.is_well

    @property
    def place(self) -> CachePolicy:
        """What to look at now."""
        return self.policy


def find(server: Server, namespace: str) -> CachePolicy | None:
    """The policy of a namespace, also one that was given back; None where there never was one."""
    return CachePolicy.objects.filter(server=server, namespace=namespace).first()


def held(server: Server, namespace: str) -> Policy | None:
    """The policy that people decided and that holds; None where the code's own does."""
    row = find(server, namespace)
    return versions.readable(row)[0] if row is not None and not row.archived else None


def decide(
    who: Who, server: Server, new: Policy, what: What, reason: str = "", *, seen: int = 0
) -> Done:
    """A new version of the policy of ``new.namespace``, published at once.

    ``seen`` is the version that the person looked at, 0 where there was none. Raises ``Refused``
    and ``Conflict``; then nothing was saved, as where nothing differs. Trouble of Redis is in what
    comes back.
    """
    wrong = new.problems()
    if wrong and what != What.ARCHIVE:
        raise Refused(wrong)
    why = " ".join(reason.split())[:500]
    try:
        with transaction.atomic():
            policy = _save(who, server, new, what, why, seen)
            publishing.want(server)
    except Unchanged as error:
        return Done(error.policy, None)
    except IntegrityError as error:  # of two who decide on one at once, one is first
        raise Conflict(find(server, new.namespace), seen) from error
    except InvalidArgument as error:
        raise Refused([("", f"It cannot be published: {error}.")]) from error
    return Done(policy, publishing.publish(who, server))


def _save(who: Who, server: Server, new: Policy, what: What, reason: str, seen: int) -> CachePolicy:
    rows = CachePolicy.objects.filter(server=server, namespace=new.namespace)
    body = {key: value for key, value in new.as_dict().items() if key != "namespace"}
    if not seen and not rows.exists():
        policy = CachePolicy(server=server, namespace=new.namespace)
    else:
        policy = versions.locked(rows, what, seen, body)
        policy.server = server
    versions.save(
        who, policy, what, body, ACTIONS.get(what, f"caching.{what.value}"), seen=seen,
        before=policy.told() if seen else None, reason=reason,
        author=who if isinstance(who, str) else who.user.get_username(),
    )  # fmt: skip
    return policy


def renamed(policy: Policy, namespace: str) -> Policy:
    """The same for another namespace."""
    return dataclasses.replace(policy, namespace=namespace)
