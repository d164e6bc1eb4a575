"""Keys out of one server and into another as files: exactly once, whatever happens between."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.audit.models import Entry
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.transfer import exporting, importing, keeping, looking, vault
from dashboard.keys.transfer.models import Archive
from dashboard.keys.transfer.showing import Upload
from dashboard.servers.models import Grant, Server
from dashboard.undo.models import Removal
from redisops.archives import DUMP, LINES, LinesWriter, Part, Putting
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.bulk import HOSTILE, PREFIX, asked, counted
from tests.redisops.test_archives import fill, fill_large, snapshot
from tests.servers import Cluster, RedisProcess

__all__ = ["asked", "counted"]
each_format = pytest.mark.parametrize("kind", [LINES, DUMP])
PAGE = "/servers/shop/import/"


@pytest.fixture
def other(db: None, operator: User, redis_process: RedisProcess) -> Server:
    """A second server, an empty Redis, that the operator may write as well."""
    redis_process.reset()
    made = Server.objects.create(name="Two", slug="two", nodes=f"127.0.0.1:{redis_process.port}")
    Grant.objects.create(server=made, user=operator, role=Role.OPERATOR)
    return made


def exported(asked: HttpRequest, key_list: KeyList, kind: str) -> Archive:
    job = run(exporting.export(asked, key_list, format=kind))
    assert job.state == Job.State.DONE, job.error
    return keeping.of(job.params["archive"])


def content(archive: Archive) -> bytes:
    return b"".join(vault.chunks(archive))


def looked(asked: HttpRequest, server: Server, data: bytes, **options: Any) -> Archive:
    """The file, uploaded and looked through."""
    file = SimpleUploadedFile("../cart\\keys.jsonl", data)
    archive = keeping.upload(asked, server, file)
    run(looking.look(asked, archive, **options))
    return keeping.of(archive.pk)


def lines(*parts: Part) -> bytes:
    writer = LinesWriter()
    return writer.header("x", 1) + b"".join(map(writer.part, parts)) + writer.end()


def text(name: bytes, value: bytes = b"new", **options: Any) -> Part:
    return Part(name, "string", None, value)._replace(**options)


@each_format
def test_keys_of_every_type_go_to_another_server_exactly(
    asked: HttpRequest, server: Server, other: Server, data: redis.Redis, counted: Any, kind: str,
    redis_process: RedisProcess,
) -> None:  # fmt: skip
    if kind == DUMP:
        # A payload goes to the same version only: back to where it came from.
        other, target = server, data
    else:
        target = redis_process.client()
    fill(data, HOSTILE)
    fill_large(data)
    before = snapshot(data)
    archive = exported(asked, counted(match=b"*"), kind)
    sealed = archive.path.read_bytes()
    assert archive.keys == len(before) and archive.size < len(sealed)
    assert b"large:list" not in sealed and archive.path.stat().st_mode & 0o777 == 0o600
    target.flushall()

    upload = looked(asked, other, content(archive))
    assert upload.name == "keys.jsonl" and upload.facts["keys"] == len(before)
    assert upload.facts["taken"] == 0 and upload.facts["odd"]
    job = run(importing.begin(asked, upload, conflict="fail"))

    assert (job.state, job.done, job.failed) == (Job.State.DONE, len(before), 0)
    assert snapshot(target) == before


def test_names_that_are_taken_are_skipped_replaced_or_stop_it(
    asked: HttpRequest, server: Server, data: redis.Redis, owner: User,
    client_for: Callable[..., Client],
) -> None:  # fmt: skip
    def begin(conflict: str) -> Job:
        return importing.begin(asked, upload, conflict=conflict)

    data.set("a", "old", px=500_000)
    data.rpush("b", "old")
    before = data.dump("a"), data.pexpiretime("a")
    upload = looked(asked, server, lines(text(b"z"), text(b"a"), text(b"b"), text(b"c")))
    assert upload.facts["taken"] == 2

    with pytest.raises(importing.NamesTaken, match="Nothing was written"):
        run(begin("fail"))
    assert data.dbsize() == 2
    skipped = run(begin("skip"))
    assert (skipped.done, skipped.skipped) == (2, 2) and data.get("a") == b"old"
    replaced = run(begin("replace"))
    assert replaced.done == 4 and data.get("b") == b"new" and data.ttl("a") == -1

    removal = Removal.objects.get(job=replaced.pk)
    kept = {dump.key: dump for chunk in removal.chunks.all() for dump in chunk.dumps()}
    assert (kept[b"a"].payload, kept[b"a"].expires_at) == before
    assert removal.offered == 4
    visitor = client_for(owner)
    page = visitor.get(replaced.get_absolute_url()).content.decode()
    assert removal.get_absolute_url() in page
    # What a page asks for by itself must be there: htmx shows a 404 in its place.
    loaded = re.findall(r'hx-get="([^"]+)" hx-trigger="load"', page)
    assert [visitor.get(url).status_code for url in loaded] == [200] * len(loaded)


def test_expired_and_own_names_are_left_out_and_prefixes_replaced(
    asked: HttpRequest, server: Server, data: redis.Redis, settings: Any
) -> None:
    own = settings.HOME_PREFIX.encode() + b"session"
    later = int(time.time() * 1000) + 90_000
    parts = [text(b"cart:1", expires_at=1), text(own), text(b"cart:2", expires_at=later),
             Part(own + b"2", "list", None, [b"1"], is_last=False),
             Part(own + b"2", "list", None, [b"2"], 2, start=1)]  # fmt: skip
    data.set("basket:2", "here")
    upload = looked(asked, server, lines(*parts), rename=(b"cart:", b"basket:"))
    facts = upload.facts
    assert (facts["expired"], facts["own"], facts["taken"], facts["keys"]) == (1, 2, 1, 4)

    args = {"conflict": "replace", "old": b"cart:", "new": b"basket:"}
    job = run(importing.begin(asked, upload, **args))

    assert (job.done, job.skipped, job.failed) == (1, 3, 0)
    assert data.keys() == [b"basket:2"] and data.pexpiretime("basket:2") == later


@pytest.mark.parametrize(
    ("kind", "conflict", "arrives"),
    [
        (LINES, "skip", True),
        (LINES, "replace", True),
        (LINES, "skip", False),
        (DUMP, "replace", True),
    ],
)
def test_after_a_cut_each_key_is_put_once(
    asked: HttpRequest, server: Server, data: redis.Redis, counted: Any, kind: str,
    conflict: str, arrives: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(data, HOSTILE)
    data.rpush("large:list", *range(12_000))
    archive = exported(asked, counted(match=b"*"), kind)
    wanted = snapshot(data)
    if conflict == "skip":
        data.flushall()
    else:
        for key in wanted:
            data.set(key, "other")
    upload = looked(asked, server, content(archive))
    job = importing.begin(asked, upload, conflict=conflict)
    cuts: list[int] = []

    class Dying(Putting):
        """Every second call dies, after or before the server was reached."""

        def put(self, puts: Any) -> Any:
            cuts.append(len(puts))
            if len(cuts) % 2:
                told = Putting(self.redis).put(puts) if arrives else None
                raise KeyboardInterrupt(told)
            return Putting(self.redis).put(puts)

    monkeypatch.setattr(importing, "Putting", Dying)
    for _ in range(40):
        try:
            job = run(job)
        except KeyboardInterrupt:
            # As kill -9: the lease runs out, nothing else is told.
            Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
            continue
        break

    assert (job.state, job.done, job.failed) == (Job.State.DONE, len(wanted), 0), job.error
    assert snapshot(data) == wanted
    assert cuts


def test_an_export_goes_on_after_a_cut_without_a_key_twice(
    asked: HttpRequest, server: Server, data: redis.Redis, counted: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(data, HOSTILE)
    fill_large(data)
    key_list = counted(match=b"*")
    monkeypatch.setattr(exporting, "MOST", 20)
    job = exporting.export(asked, key_list, format=LINES)
    real, calls = vault.Writer.write, []

    def write(self: Any, written: bytes) -> None:
        calls.append(1)
        if len(calls) % 7 == 0:
            real(self, b"half of something")
            raise KeyboardInterrupt
        real(self, written)

    monkeypatch.setattr(vault.Writer, "write", write)
    monkeypatch.setattr(exporting, "Clock", lambda: type("Over", (), {"is_over": True}))
    for _ in range(80):
        try:
            job = run(job)
        except KeyboardInterrupt:
            Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
            continue
        break

    assert job.state == Job.State.DONE
    archive = keeping.of(job.params["archive"])
    upload = looked(asked, server, content(archive))
    assert upload.problem == "" and upload.keys == key_list.total == archive.keys


def test_a_look_that_ends_while_its_page_is_made_is_told_as_ended(
    asked: HttpRequest, server: Server
) -> None:
    archive = keeping.upload(asked, server, SimpleUploadedFile("a.jsonl", lines(text(b"a"))))
    job = looking.look(asked, archive)
    before = keeping.of(archive.pk)
    run(job)

    upload = Upload(server, before)

    assert upload.is_ready and not upload.is_looking
    assert upload.button == "Import 1 key" and upload.facts["keys"] == 1


def test_damaged_and_foreign_files_are_refused(
    asked: HttpRequest, server: Server, data: redis.Redis, operator: User,
    client_for: Callable[..., Client],
) -> None:  # fmt: skip
    good = lines(text(b"a"), text(b"b"))
    for bad, why in ((good[:-20], "record 3"), (good.replace(b"new", b"old"), "checksum")):
        upload = looked(asked, server, bad)
        assert upload.state == Archive.State.REFUSED and why in upload.problem
        with pytest.raises(exporting.Refused):
            importing.begin(asked, upload, conflict="skip")
        page = client_for(operator).get(upload.file_url)
        assert b"This file was refused" in page.content
        assert_valid_html(page)
    assert data.dbsize() == 0

    upload = looked(asked, server, good)
    changed = bytearray(upload.path.read_bytes())
    changed[40] ^= 1
    upload.path.write_bytes(changed)
    job = importing.begin(asked, upload, conflict="skip")
    with pytest.raises(Exception, match="changed"):
        run(job)
    assert data.dbsize() == 0


def test_a_cluster_gives_and_takes(
    asked: HttpRequest, operator: User, other: Server, counted: Any, redis_process: RedisProcess
) -> None:
    names = [PREFIX + b"%d" % n for n in range(60)]
    with redis_process.client() as source, Cluster() as cluster:
        fill(source, names)
        source.rpush("cart:large", *range(12_000))
        before = snapshot(source)
        nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
        three = Server.objects.create(name="Three", slug="three", kind="cluster", nodes=nodes)
        Grant.objects.create(server=three, user=operator, role=Role.OPERATOR)
        from dashboard.keys.bulk import starting

        def export_from(server: Server) -> bytes:
            job = run(starting.list_keys(asked, server, prefix=b"cart:"))
            return content(exported(asked, KeyList.objects.get(pk=job.params["list"]), LINES))

        upload = looked(asked, three, export_from(other))
        job = run(importing.begin(asked, upload, conflict="replace"))
        assert (job.state, job.done, job.failed) == (Job.State.DONE, 61, 0)
        back = export_from(three)
        source.flushall()
        run(importing.begin(asked, looked(asked, other, back), conflict="skip"))

        assert snapshot(source) == before


def test_a_file_is_bounded_and_goes_away(
    asked: HttpRequest, server: Server, data: redis.Redis, counted: Any, settings: Any
) -> None:
    data.set("cart:big", "x" * 3_000_000)
    key_list = counted(prefix=b"cart:")
    archive = exported(asked, key_list, LINES)

    settings.EXPORT_BYTES = archive.stored + 1_000_000
    with pytest.raises(exporting.Full, match="EXPORT_BYTES"):
        run(exporting.export(asked, key_list, format=LINES))
    settings.EXPORT_BYTES = archive.stored + 10
    with pytest.raises(keeping.NoRoom):
        keeping.upload(asked, server, SimpleUploadedFile("a", b"{" + b"x" * 3_000_000))

    Archive.objects.update(until=timezone.now())
    Job.objects.update(state=Job.State.DONE)
    assert keeping.remove_old() == 2
    assert not archive.path.exists() and not Archive.objects.exists()


def test_the_pages_from_the_list_to_the_import(
    server: Server, data: redis.Redis, counted: Any, operator: User, owner: User, viewer: User,
    stranger: User, client_for: Callable[..., Client], settings: Any,
) -> None:  # fmt: skip
    fill(data, HOSTILE)
    key_list = counted(prefix=PREFIX)
    visitor = client_for(operator)
    page = visitor.get(f"/servers/shop/bulk/{key_list.pk}/?do=export")
    assert f"/servers/shop/export/?list={key_list.pk}" in page.content.decode()
    page = visitor.get(f"/servers/shop/export/?list={key_list.pk}")
    assert_valid_html(page)
    answer = visitor.post("/servers/shop/export/", {"list": key_list.pk, "format": "lines"})
    job = run(Job.objects.get(kind="keys.export"))
    archive = keeping.of(job.params["archive"])
    page = visitor.get(answer["Location"])
    assert archive.file_url in page.content.decode()
    assert_valid_html(page)
    assert_valid_html(visitor.get("/servers/shop/export/"))

    file = visitor.get(archive.file_url)
    body = b"".join(file.streaming_content)
    assert body == content(archive) and file["Content-Length"] == str(len(body))
    assert Entry.objects.filter(action="keys.export_download").count() == 1
    assert client_for(owner).get(archive.file_url).status_code == 200
    for user, status in ((viewer, 404), (stranger, 404)):
        assert client_for(user).get(archive.file_url).status_code == status
    assert client_for(viewer).get(PAGE).status_code == 403
    assert client_for(viewer).get("/servers/shop/export/").status_code == 200
    assert visitor.post(archive.file_url).status_code == 405
    assert visitor.get(archive.remove_url).status_code == 405

    assert_valid_html(visitor.get(PAGE))
    assert visitor.post(PAGE).status_code == 422
    assert b"not taken" in visitor.post(PAGE, {"file": io.BytesIO(b"PK\x03\x04")}).content
    answer = visitor.post(PAGE, {"file": SimpleUploadedFile("<b>.jsonl", body)})
    looking_page = visitor.get(answer["Location"])
    assert b"looked at so far" in looking_page.content
    assert_valid_html(looking_page)
    run(Job.objects.get(kind="keys.look_import"))
    page = visitor.get(answer["Location"])
    assert_valid_html(page)
    assert f"Import {len(HOSTILE)} keys" in page.content.decode()
    assert b"<b>.jsonl" not in page.content

    Server.objects.update(environment="production")
    told = {"conflict": "skip", "do": "import", "after": ""}
    assert visitor.post(answer["Location"], told).status_code == 422
    assert not Job.objects.filter(kind="keys.import").exists()
    told |= {"confirm": "Shop", "reason": "OPS-1"}
    first = visitor.post(answer["Location"], told)
    again = visitor.post(answer["Location"], told)
    assert first["Location"] == again["Location"]
    done = run(Job.objects.get(kind="keys.import"))
    assert done.skipped == len(HOSTILE)
    assert Entry.objects.filter(action="keys.import", reason="OPS-1").exists()
    assert visitor.post(archive.remove_url).status_code == 302
    assert not archive.path.exists()

    settings.IMPORT_BYTES = 1_000
    large = visitor.post(PAGE, {"file": SimpleUploadedFile("a.jsonl", b"{" * 200_000)})
    assert large.status_code == 413 and b"IMPORT_BYTES" in large.content
