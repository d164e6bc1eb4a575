"""``manage.py demo --remove``: take every trace of the demo shop away from home."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from dashboard.servers import home
from demo.remove import NotOurs, remove, still_running
from redisops.errors import RedisopsError
from redisops.resilience import diagnose


class Command(BaseCommand):
    help = "Remove everything that the demo shop wrote to home (keys below shop:)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--remove", action="store_true", help="really remove it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["remove"]:
            raise CommandError("Nothing done: add --remove to remove the demo's keys.")
        client = home.ensure().client()
        try:
            removed = remove(client)
            running = still_running(client)
        except NotOurs as error:
            self.stdout.write(str(error))
            return
        except (redis.RedisError, RedisopsError) as error:
            trouble = diagnose(error)
            raise CommandError(f"{trouble.sentence} {trouble.next_step}") from error
        for kind, number in sorted(removed.items()):
            self.stdout.write(f"{number:>8,}  shop:{kind}")
        self.stdout.write(f"Removed {removed.total():,} keys of the demo.")
        if running:
            self.stdout.write(
                f"The demo still runs ({', '.join(running)}) and writes again: restart with DEMO=0."
            )
