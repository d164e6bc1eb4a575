"""Rate-limit policies of a server: read, change, every version kept.

    policies.current(server) -> list[LimitPolicy]      those not deleted, by name; one query
    policies.find(server, name) -> LimitPolicy          404 without one; deleted ones are found too
    policies.may_edit(request, policy) -> bool          admins all, operators what their teams own
    policies.change(request, policy, new, reason, seen=None) -> Done
                                          a new version, published at once, or a change
                                          that waits for a second person
    policies.seed(server, policies, who) -> list[str]   those that are not there yet (first start)

``change`` raises ``Refused`` (problems, nothing saved), ``Conflict`` (somebody else was quicker),
``Forbidden`` (the team of it is another one). ``done.words`` is the sentence for the person.
"""

from typing import Any

from dashboard.publishing.versions import Conflict, Refused

__all__ = [
    "Conflict", "Refused", "archive", "change", "create", "current", "find", "may_edit",
    "restore", "roll_back", "seed",
]  # fmt: skip

_PLACES = {
    "current": "reading", "find": "reading", "may_edit": "rights", "change": "changing",
    "create": "changing", "archive": "changing", "restore": "changing", "roll_back": "changing",
    "seed": "seeding",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Models cannot be imported while apps are loading; these names come when first used.
    if name not in _PLACES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"dashboard.limits.policies.{_PLACES[name]}"), name)
