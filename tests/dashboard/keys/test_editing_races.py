"""What somebody else writes between the keeping and the edit stays: it is in no bin."""

from __future__ import annotations

import pytest
import redis
from django.http import HttpRequest

from dashboard.keys.editing import applying
from dashboard.servers.models import Server
from dashboard.undo.models import Removal
from redisops.edits import Conflict, Copy, Edit, Exists, Outcome, Rename, Saved
from tests.dashboard.keys.bulk import request_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(operator) -> HttpRequest:
    return request_of(operator)


def applied(
    monkeypatch: pytest.MonkeyPatch, data: redis.Redis, asked: HttpRequest, server: Server,
    edit: Edit, *, written: bool = True,
) -> Outcome:  # fmt: skip
    """The edit, with a write of somebody else between keeping and sending."""
    kept = applying._keep

    def then_written(*args):
        found = kept(*args)
        if written:
            data.set("theirs", "newer")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(applying, "_keep", then_written)
        return applying.apply(asked, server, edit, action="key.rename").outcome


@pytest.mark.parametrize("kind", [Rename, Copy])
def test_only_what_was_kept_is_replaced(monkeypatch, data, asked, server, kind):
    data.mset({"mine": "1", "theirs": "kept"})
    edit = kind(b"mine", b"theirs", replace=True)

    outcome = applied(monkeypatch, data, asked, server, edit)

    assert isinstance(outcome, Conflict)
    assert data.mget("mine", "theirs") == [b"1", b"newer"]
    assert [row.offered for row in Removal.objects.all()] == [0]
    assert isinstance(applied(monkeypatch, data, asked, server, edit, written=False), Saved)
    assert data.get("theirs") == b"1"
    assert Removal.objects.filter(offered=1).count() == 1


@pytest.mark.parametrize("kind", [Rename, Copy])
def test_a_name_that_was_free_is_not_taken_from_somebody(monkeypatch, data, asked, server, kind):
    data.set("mine", "1")

    outcome = applied(monkeypatch, data, asked, server, kind(b"mine", b"theirs", replace=True))

    assert isinstance(outcome, Exists)
    assert data.mget("mine", "theirs") == [b"1", b"newer"]
