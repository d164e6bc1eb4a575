"""What the frame knows how to explain."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied


class Forbidden(PermissionDenied):
    """A known person lacks a right on a server they may see; the page names both.

    ``right`` says what was asked for in words ("delete keys"), ``role`` who may do it.
    """

    def __init__(self, right: str, role: str) -> None:
        self.right = right
        self.role = str(getattr(role, "label", role))
        super().__init__(f"{self.right} needs the role {self.role}")
