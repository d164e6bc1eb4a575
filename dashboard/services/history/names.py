"""Names of services and instances in addresses: whatever they are, one part of a path each.

An instance may be called ``10.0.0.1/8000`` or ``..``; a service may be called ``changes``. What
would not survive in a path, or stands for another page, is written ``~`` and base64url.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from django.urls import register_converter

from redisops.errors import InvalidArgument
from redisops.services.naming import check_instance, check_service

_PLAIN = re.compile(r"[A-Za-z0-9_@:+=,.-]+")
PAGES = frozenset(["changes", "notifications", "http_sd"])
PARTS = frozenset(["checks", "check", "zombies", "check-now"])


class _Name:
    """A Django path converter. ``{% url %}`` and reverse() take the name itself."""

    regex = "[^/]{1,300}"
    taken: frozenset[str] = frozenset()

    check: Callable[[str], str]

    def to_python(self, text: str) -> str:
        """The name; ValueError (a 404) for what is none."""
        try:
            if text.startswith("~"):
                padded = text[1:] + "=" * (-len(text[1:]) % 4)
                text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
            return self.check(text)
        except (binascii.Error, UnicodeDecodeError, InvalidArgument) as error:
            raise ValueError(str(error)) from error

    def to_url(self, name: str) -> str:
        """How the name stands in an address."""
        if _PLAIN.fullmatch(name) and set(name) != {"."} and name not in self.taken:
            return name
        return "~" + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


class ServiceName(_Name):
    taken = PAGES
    check = staticmethod(check_service)


class InstanceName(_Name):
    taken = PARTS
    check = staticmethod(check_instance)


register_converter(ServiceName, "service")
register_converter(InstanceName, "instance")
