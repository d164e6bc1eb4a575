"""Who is muted now."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from dashboard.servers.models import Server
from dashboard.services.notices.models import Mute


@dataclass(frozen=True)
class Muted:
    """Of one service: until when all of it is muted, and which of its instances are (None: not)."""

    service: datetime.datetime | None
    instances: dict[str, datetime.datetime]


def active(server: Server, now: datetime.datetime | None = None) -> QuerySet[Mute]:
    """The mutes of a server that are not over, the one that ends first in front."""
    return Mute.objects.filter(server=server, until__gt=now or timezone.now())


def of(server_id: int, service: str, now: datetime.datetime) -> Muted:
    """One query."""
    rows = Mute.objects.filter(server=server_id, service=service, until__gt=now)
    found = dict(rows.values_list("instance", "until"))
    return Muted(found.pop("", None), found)


def all_of(server_id: int, now: datetime.datetime) -> dict[str, Muted]:
    """By service, those of a server of which anything is muted. One query."""
    found: dict[str, dict[str, datetime.datetime]] = {}
    rows = Mute.objects.filter(server=server_id, until__gt=now)
    for service, instance, until in rows.values_list("service", "instance", "until"):
        found.setdefault(service, {})[instance] = until
    return {service: Muted(own.pop("", None), own) for service, own in found.items()}
