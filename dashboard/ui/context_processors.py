"""What every page of the frame needs. Nothing is computed until a template asks for it."""

from __future__ import annotations

import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from dashboard.ui import navigation

THEMES = ("light", "dark")
THEME_COOKIE = "theme"


class Frame:
    """The frame around one page: navigation, theme, clock and cost."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def theme(self) -> str:
        """The remembered choice, or "" to follow the system."""
        choice = self.request.COOKIES.get(THEME_COOKIE, "")
        return choice if choice in THEMES else ""

    @cached_property
    def groups(self) -> list[navigation.Group]:
        return navigation.groups(self.request, getattr(self.request, "server", None))

    @cached_property
    def here(self) -> str:
        """This page's address, to come back to after a small form (the theme)."""
        return self.request.get_full_path()

    @cached_property
    def is_signed_in(self) -> bool:
        user = getattr(self.request, "user", None)
        return bool(user is not None and user.is_authenticated)

    @cached_property
    def initials(self) -> str:
        """Two letters for the person who is signed in."""
        user: Any = self.request.user
        words = (user.get_full_name() or user.get_username()).replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() or "?"

    @cached_property
    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    @property
    def cost(self) -> Any | None:
        """What the page cost its server so far (``redisops.connection.Cost``), if it has one."""
        return getattr(self.request, "cost", None)

    @property
    def slowed(self) -> float:
        """Seconds that the page waited since pages ask much of its server."""
        return getattr(self.request, "slowed", 0.0)


def frame(request: HttpRequest) -> dict[str, Any]:
    return {
        "frame": Frame(request),
        "server": getattr(request, "server", None),
        "production_console": settings.PRODUCTION,
    }
