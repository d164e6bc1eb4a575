"""Makes sure that somebody can sign in."""

from __future__ import annotations

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from dashboard.accounts.models import User
from dashboard.accounts.passwords import generated
from dashboard.audit import record

NAME = "admin"


class Command(BaseCommand):
    help = (
        "Create the first admin, unless there is one. The password is REDISOPS_ADMIN_PASSWORD, "
        "or generated and printed once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = os.environ.get("REDISOPS_ADMIN_PASSWORD", "")
        password = chosen or generated()
        with transaction.atomic():
            created = self._create(password)
        # A chosen password is known to who chose it, and stays out of logs and terminals.
        shown = password if created and not chosen else ""
        if options["json"]:
            told = {"created": created, "username": NAME if created else "", "password": shown}
            self.stdout.write(json.dumps(told))
        elif created:
            self.stdout.write(f"USERNAME={NAME}")
            self.stdout.write(f"PASSWORD={shown}" if shown else "PASSWORD is the one you chose")
        else:
            self.stdout.write("There is an admin already.")

    def _create(self, password: str) -> bool:
        # The lock of BEGIN (SQLite), or of the row below (PostgreSQL), lets one of two win.
        if User.objects.select_for_update().filter(is_superuser=True, is_active=True).exists():
            return False
        user, is_new = User.objects.get_or_create(username=NAME)
        user.is_superuser = user.is_staff = user.is_active = True
        user.set_password(password)
        user.save()
        action = "accounts.create" if is_new else "accounts.update"
        record("manage.py ensure_admin", action, target=NAME, after={"admin": True})
        return True
