"""The same store on PostgreSQL: bytes, sums, refusals and two restores that really run at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.postgres import running_postgres

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, threading
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.conf import settings
from django.db import connection
from django.test import RequestFactory
from dashboard import undo
from dashboard.accounts.models import User
from dashboard.servers.models import Server
from dashboard.undo import listing, marks, tasks
from dashboard.undo.models import Chunk, Removal

server = Server.objects.create(name="Shop", slug="shop", nodes=sys.argv[1])
redis = server.client()
keys = [b"k:\\x00\\xff%d" % n for n in range(400)]
redis.mset({key: key * 9 for key in keys})
removal = undo.begin("anna", server, why="a\\x00b")
assert removal.remove(redis, keys) == ["removed"] * 400
assert listing.sums(server)["keys"] == 400
assert [row.key for row in listing.entries(removal, b"\\xff39", "").rows][0] == keys[39]

request = RequestFactory().post("/")
request.user = User.objects.create_superuser("owner")
found, start = [], threading.Barrier(2)
def one():
    start.wait()
    found.append(undo.restore(request, Removal.objects.get()).results)
    connection.close()
threads = [threading.Thread(target=one) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert set().union(*found) == {"restored"} and max(r["restored"] for r in found) == 400, found
assert redis.mget(keys) == [key * 9 for key in keys]
assert set(bytes(Chunk.objects.get().marks)) == {marks.BACK}

settings.UNDO_BYTES = 10
try:
    undo.begin("anna", server).remove(redis, keys[:1])
except undo.Full as full:
    assert redis.exists(keys[0])
    print(full)
Removal.objects.update(until="2020-01-01T00:00:00Z")
tasks.empty()
assert not Chunk.objects.exists() and not Removal.objects.exists()
"""


def test_the_bin_on_postgresql(tmp_path, target):
    with running_postgres(tmp_path) as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"127.0.0.1:{target.port}"],
            cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings", "DATABASE_URL": url},
        )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    assert "has room for" in done.stdout
