"""A PostgreSQL that hangs or is locked holds no page for longer than its time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import home
from tests.postgres import running_postgres

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
import django; django.setup()
import time
from django.db import OperationalError, connection
started = time.monotonic()
try:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
except OperationalError as error:
    print(round(time.monotonic() - started, 1), str(error).splitlines()[0])
"""
MIGRATING = """
import django; django.setup()
from django.core.management.sql import emit_pre_migrate_signal
from django.db import connection
emit_pre_migrate_signal(verbosity=0, interactive=False, db="default")
with connection.cursor() as cursor:
    cursor.execute("SHOW statement_timeout")
    print(cursor.fetchone()[0])
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("database")) as url:
        yield url


def said(url: str, program: str, **settings: str) -> str:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **settings}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
        env={**environment, "DATABASE_URL": url},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_statement_that_does_not_end_is_ended(postgres):
    seconds, words = said(postgres, SLOW, DATABASE_STATEMENT_SECONDS="0.3").split(" ", 1)

    assert float(seconds) < 2
    assert "statement timeout" in words


def test_a_migration_may_take_its_time(postgres):
    assert said(postgres, MIGRATING) == "0"


def test_what_the_address_says_comes_first():
    options = home.postgres_options(2.5, {"sslmode": "require", "connect_timeout": 7})

    assert options["connect_timeout"] == 7
    assert options["sslmode"] == "require"
    assert "statement_timeout=2500" in options["options"]


def test_a_pooler_that_refuses_options_gets_none():
    assert "options" not in home.postgres_options(0, {})


DEMOTING = """
import django; django.setup()
from threading import Barrier, Thread
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.contrib.messages.storage.base import BaseStorage
from dashboard.accounts.models import User
from dashboard.accounts.views import users
call_command("migrate", verbosity=0)

def demote(actor, person, together):
    request = RequestFactory().post("/", {"admin": "no"})
    request.user, request._messages = actor, BaseStorage(request)
    together.wait()
    users.admin(request, pk=person.pk)
    connection.close()

for round in range(12):
    User.objects.all().delete()
    ann, bob = (User.objects.create(username=n, is_superuser=True) for n in ("ann", "bob"))
    together = Barrier(2)
    threads = [Thread(target=demote, args=(a, p, together)) for a, p in ((ann, bob), (bob, ann))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(User.objects.filter(is_superuser=True).count(), end=" ")
"""


def test_two_admins_cannot_remove_each_other_at_once(postgres):
    assert set(said(postgres, DEMOTING).split()) == {"1"}
