"""The three roles a person or a team may have on a server."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    """Ordered: an operator may all that a viewer may, an admin all that an operator may."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def allows(self, other: Role | str) -> bool:
        """Whether this role includes ``other``."""
        return self.rank >= Role(other).rank

    @classmethod
    def highest(cls, roles: list[Role]) -> Role | None:
        """The strongest of ``roles``; None when there is none."""
        return max(roles, key=lambda role: role.rank, default=None)
