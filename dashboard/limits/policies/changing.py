"""Every change of a policy: a new version in SQL and the audit, then published.

Where the server asks for a second person the change waits as a row of its own; ``approving`` lets
it through by the same door (``apply``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from dashboard.accounts.models import Team
from dashboard.audit import record
from dashboard.limits import publishing
from dashboard.limits.policies import protected, rights
from dashboard.limits.policies.models import LimitPolicy, PendingChange, PolicyVersion
from dashboard.publishing import versions
from dashboard.publishing.models import What
from dashboard.publishing.versions import Refused, Unchanged
from dashboard.servers.models import Server
from redisops.errors import InvalidArgument
from redisops.limits.policies import Policy, Problem, problems
from redisops.limits.subjects import without_secrets

if TYPE_CHECKING:
    from dashboard.publishing.writing import Published

KEEP = object()
# Words that stand in the place of a policy's name in addresses.
RESERVED = frozenset(
    {"new", "sentence", "match", "export", "import", "changes", "publish", "settings", "subjects"}
)


@dataclass(frozen=True)
class Wish:
    """What somebody wants of one policy. ``seen`` is the version it was made from, 0: a new one."""

    server: Server
    name: str
    what: What
    new: Policy
    team: Team | None
    reason: str
    seen: int
    author: str

    @property
    def body(self) -> dict[str, Any]:
        """What is stored: all but what the row itself knows."""
        kept = self.new.as_dict()
        return {key: kept[key] for key in kept if key not in ("name", "version", "owner")}


@dataclass(frozen=True)
class Done:
    """What came of it: the policy in its new version and published or not, or a change waiting.

    ``is_same``: it was so already, and no version was made.
    """

    policy: LimitPolicy | None
    pending: PendingChange | None = None
    published: Published | None = None
    is_same: bool = False

    @property
    def words(self) -> str:
        if self.pending is not None:
            return f"The change of {self.pending.name} waits for a second person."
        assert self.policy is not None
        if self.is_same:
            return str(Unchanged(self.policy))
        state = "deleted" if self.policy.archived else f"saved as version {self.policy.version}"
        told = f" {self.published.sentence}" if self.published is not None else ""
        return f"{self.policy.name} is {state}.{told}"

    @property
    def is_well(self) -> bool:
        return self.pending is not None or self.published is None or self.published.is_well

    @property
    def place(self) -> LimitPolicy | PendingChange | None:
        """What to look at now."""
        return self.pending or self.policy


def create(
    request: HttpRequest, server: Server, new: Policy, reason: str = "", *,
    team: Team | None = None, at_once: bool = True,
) -> Done:  # fmt: skip
    """A new policy; raises ``Refused``, ``Forbidden``. Without ``at_once`` nothing is published."""
    if LimitPolicy.objects.filter(server=server, name=new.name).exists():
        raise Refused([_taken(server, new.name)])
    wish = _wish(request, server, None, What.CREATE, new, reason, team, 0)
    return _decide(request, wish, at_once=at_once)


def change(
    request: HttpRequest,
    policy: LimitPolicy,
    new: Policy,
    reason: str = "",
    *,
    seen: int | None = None,
    team: Team | object | None = KEEP,
    at_once: bool = True,
) -> Done:
    """A new version of it; raises ``Refused``, ``Conflict``, ``Forbidden``.

    ``seen`` is the version that the person looked at, by default that of ``policy``. The name stays
    what it is. ``team`` gives it to another owner. Without ``at_once`` nothing is published.
    """
    owner: Any = policy.team if team is KEEP else team
    at = policy.version if seen is None else seen
    wish = _wish(request, policy.server, policy, What.CHANGE, new, reason, owner, at)
    return _decide(request, wish, policy, at_once=at_once)


def roll_back(
    request: HttpRequest, policy: LimitPolicy, to: PolicyVersion, reason: str = "",
    *, seen: int | None = None,
) -> Done:  # fmt: skip
    """The settings of an older version as a new one; raises as ``change``."""
    at = policy.version if seen is None else seen
    new = readable(to)
    wish = _wish(request, policy.server, policy, What.ROLL_BACK, new, reason, policy.team, at)
    return _decide(request, wish, policy)


def archive(
    request: HttpRequest, policy: LimitPolicy, reason: str = "", *, seen: int | None = None
) -> Done:
    """Delete it: out of the published document, its versions stay; raises as ``change``."""
    if protected.is_protected(policy.server, policy.name):
        raise Refused([Problem("", "The console signs people in under it: it cannot be deleted.")])
    at = policy.version if seen is None else seen
    new = readable(policy)
    wish = _wish(request, policy.server, policy, What.ARCHIVE, new, reason, policy.team, at)
    return _decide(request, wish, policy)


def restore(
    request: HttpRequest, policy: LimitPolicy, reason: str = "", *, seen: int | None = None
) -> Done:
    """Bring a deleted one back as it was; raises as ``change``."""
    at = policy.version if seen is None else seen
    new = readable(policy)
    wish = _wish(request, policy.server, policy, What.RESTORE, new, reason, policy.team, at)
    return _decide(request, wish, policy)


# --- One door -----------------------------------------------------------------------------


def _wish(
    request: HttpRequest, server: Server, policy: LimitPolicy | None, what: What, new: Policy,
    reason: str, team: Team | None, seen: int,
) -> Wish:  # fmt: skip
    name = policy.name if policy is not None else new.name
    owner = str(team) if team else ""
    plain = dataclasses.replace(without_secrets(new), name=name, owner=owner, version=seen + 1)
    author = request.user.get_username()
    return Wish(server, name, what, plain, team, " ".join(reason.split())[:500], seen, author)


def _decide(
    request: HttpRequest, wish: Wish, policy: LimitPolicy | None = None, *, at_once: bool = True
) -> Done:
    new_owner = wish.team.pk if wish.team else None
    owners = (new_owner,) if policy is None else (policy.team_id, new_owner)
    rights.require(request, wish.server, wish.name, *owners)
    check(wish)
    try:
        if publishing.asks_second(wish.server):
            return Done(None, pending=_hold(request, wish, policy))
        if not at_once:
            return Done(commit(request, wish))
        return apply(request, wish)
    except Unchanged as error:
        return Done(error.policy, is_same=True)


def readable(stored: LimitPolicy | PolicyVersion | PendingChange) -> Policy:
    """The library's policy; raises ``Refused`` for what this version of it cannot read."""
    policy, broken = versions.readable(stored)
    if policy is None:
        raise Refused([Problem("", f"What is stored of it cannot be read: {broken}")])
    return policy


def check(wish: Wish) -> None:
    """Raise ``Refused`` if the policy is not one that may be published."""
    wrong = [*problems(wish.new), *protected.problems(wish.server, wish.new)]
    if wish.name in RESERVED:
        wrong.append(Problem("name", f"{wish.name} is an address of this page: choose another."))
    if wrong and wish.what != What.ARCHIVE:
        raise Refused(wrong)


def _hold(request: HttpRequest, wish: Wish, policy: LimitPolicy | None) -> PendingChange:
    with transaction.atomic():
        if policy is not None:
            policy = _locked(wish)
        pending = PendingChange.objects.create(
            server=wish.server, policy=policy, name=wish.name, what=wish.what, seen=wish.seen,
            body=wish.body, team=wish.team, author=wish.author, reason=wish.reason,
        )  # fmt: skip
        record(
            request, "limits.ask", server=wish.server.slug, target=wish.name,
            before=policy.body if policy else None, after=wish.body, reason=wish.reason,
        )  # fmt: skip
    return pending


def apply(request: HttpRequest | str, wish: Wish, approved_by: str = "") -> Done:
    """Save and publish; raises ``Conflict`` and ``Refused``."""
    policy = commit(request, wish, approved_by)
    return Done(policy, published=publishing.publish(request, wish.server))


def commit(request: HttpRequest | str, wish: Wish, approved_by: str = "") -> LimitPolicy:
    """The version, the audit's row and the document that is wanted, in one transaction.

    Nothing is published: that comes after the transaction. Raises ``Conflict``, ``Refused`` and
    ``Unchanged``.
    """
    try:
        with transaction.atomic():
            policy = save(request, wish, approved_by)
            publishing.want(wish.server)
    except IntegrityError as error:  # of two who create one name at once, one is first
        raise Refused([_taken(wish.server, wish.name)]) from error
    except InvalidArgument as error:
        raise Refused([Problem("", f"It cannot be published: {error}.")]) from error
    return policy


def save(request: HttpRequest | str, wish: Wish, approved_by: str = "") -> LimitPolicy:
    """The new version and its audit row, within the caller's transaction."""
    policy = LimitPolicy(server=wish.server, name=wish.name) if not wish.seen else _locked(wish)
    before = policy.told() if wish.seen else None
    policy.team = wish.team
    versions.save(
        request, policy, wish.what, wish.body, f"limits.{wish.what.value}", seen=wish.seen,
        before=before, reason=wish.reason, author=wish.author, team=str(wish.team or ""),
        approved_by=approved_by,
    )  # fmt: skip
    return policy


def _locked(wish: Wish) -> LimitPolicy:
    rows = LimitPolicy.objects.filter(server=wish.server, name=wish.name).select_related("team")
    policy = versions.locked(rows, wish.what, wish.seen, wish.body, team=wish.team)
    policy.server = wish.server
    return policy


def _taken(server: Server, name: str) -> Problem:
    gone = LimitPolicy.objects.filter(server=server, name=name).exclude(archived=None).exists()
    why = "a deleted policy has this name: restore that one" if gone else "it is taken"
    return Problem("name", f"Choose another name for {name}: {why}.")
