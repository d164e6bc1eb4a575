"""``manage.py reseal`` and files of keys: all open with the new key alone afterwards."""

from __future__ import annotations

import base64
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.http import HttpRequest

from dashboard.jobs.models import Job
from dashboard.keys.transfer import exporting, keeping, vault
from dashboard.keys.transfer.models import Archive
from dashboard.servers.models import Server
from redisops.archives import LINES
from tests.dashboard.keys.bulk import PREFIX, asked, counted
from tests.dashboard.keys.test_transfer import content, exported, looked

__all__ = ["asked", "counted"]
NEW = base64.urlsafe_b64encode(b"n" * 32).decode()


def test_files_are_sealed_anew_unless_a_job_writes_them(
    asked: HttpRequest, server: Server, data: redis.Redis, counted: Any, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(vault, "FRAME", 64)
    data.mset({PREFIX + b"%d" % n: b"v" * 50 for n in range(5)})
    key_list = counted(prefix=PREFIX)
    done = exported(asked, key_list, LINES)
    upload = looked(asked, server, content(done))
    job = exporting.export(asked, key_list, format=LINES)
    open_one = keeping.of(job.params["archive"])
    with vault.Writer(open_one, 0, 0) as writer:  # a step has written, and another will
        writer.write(b"{}")
    Archive.objects.filter(pk=open_one.pk).update(stored=writer.stored, frames=writer.frames)
    was = content(done)
    assert done.frames > 1
    settings.ENCRYPTION_KEYS = [NEW, *settings.ENCRYPTION_KEYS]

    out = StringIO()
    with pytest.raises(CommandError, match=f"export {open_one.pk} .*still being written"):
        call_command("reseal", stdout=out)
    assert "2 files of exports and imports are encrypted with the newest key" in out.getvalue()
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED)
    out = StringIO()
    call_command("reseal", stdout=out)
    assert "1 files of exports and imports" in out.getvalue()

    settings.ENCRYPTION_KEYS = [NEW]
    assert content(done) == content(upload) == was and content(keeping.of(open_one.pk)) == b"{}"
    assert done.path.stat().st_size == done.stored and done.path.stat().st_mode & 0o777 == 0o600
    assert not list(done.path.parent.glob("*-new*"))
    done.path.unlink()
    with pytest.raises(CommandError, match="is gone from the data directory"):
        call_command("reseal", stdout=StringIO())
