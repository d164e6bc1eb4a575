from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.audit.verifying import verify


class Command(BaseCommand):
    help = "Check that no entry of the audit was altered or removed; names the first that was."

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify()
        if verdict.number is not None:
            raise CommandError(f"The audit is broken at entry {verdict.number}: {verdict.words}.")
        self.stdout.write(f"The audit is whole: {verdict.words}.")
