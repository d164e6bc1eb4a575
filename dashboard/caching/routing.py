"""The sockets of the area."""

from typing import Any

urlpatterns: list[Any] = []
