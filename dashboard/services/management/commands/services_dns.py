"""``manage.py services_dns``: answer DNS for services, until it is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.services.dns.copying import Copies
from dashboard.services.dns.serving import serving


class Command(BaseCommand):
    help = "Answer A, AAAA and SRV for <service>.redisops."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.DNS_HOST)
        parser.add_argument("--port", type=int, default=settings.DNS_PORT or 8600)
        parser.add_argument("--server", default=settings.DNS_SERVER)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(self._serve(options["host"], options["port"], options["server"]))
        except OSError as error:
            raise CommandError(f"DNS cannot be answered there: {error}") from error

    async def _serve(self, host: str, port: int, slug: str) -> None:
        copies = Copies(slug)
        async with serving(host, port, copies.find) as bound:
            self.stdout.write(f"DNS for services of {slug} at {host}:{bound}")
            await copies.follow()
