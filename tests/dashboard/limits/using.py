"""What the tests of a policy's use share: three policies, their pages, a request of somebody."""

from __future__ import annotations

from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import reverse

from dashboard.accounts.models import User
from redisops.limits.policies import Policy

# Nothing of these comes back while a test runs, however slow the machine is.
CHECKOUT = Policy("checkout", subject=("user",), limit=5, period=3600.0, burst=5)
SLOTS = Policy("slots", subject=("user",), algorithm="concurrency", limit=2, period=3600.0)
BY_IP = Policy("by-ip", subject=("ip",), limit=100, period=3600.0)
HOSTILE = b"<img src=x onerror=alert(1)>\xff\x00/../'"
USE, LOOK = "limits:use", "limits:subject"


def page(name: str, *args: str) -> str:
    """The address of a page of the shop's server."""
    return reverse(name, args=["shop", *args])


def request_of(user: User) -> HttpRequest:
    """A request that this person sent."""
    request = RequestFactory().post("/")
    request.user = user
    return request
