"""Sessions of other frameworks: recognised, read without running anything, ended."""

import base64
import json
import pickle
import time
import zlib

import msgpack
import pytest

from redisops.connection import connect
from redisops.sessions import AsyncSessionBrowser, AsyncSessions, Seal, SessionBrowser, Sessions
from redisops.sessions.layouts import PRINCIPAL, index_of, named

KEY = b"n" * 32
DJANGO, CACHED = "a" * 31 + "1", "b" * 31 + "2"
UUID = "0b3c7a44-1c1d-4f9e-9f4b-0a5f8f5a2c11"
LONG = (
    b"\xac\xed\x00\x05sr\x00\x0ejava.lang.Long;\x8b\xe4\x90\xcc\x8f#\xdf\x02\x00\x01J\x00\x05value"
    b"xr\x00\x10java.lang.Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00xp"
)


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/never-written-by-a-session", "w"))


def java(text):
    return b"\xac\xed\x00\x05t" + len(text).to_bytes(2, "big") + text.encode()


def signed(values):
    body = base64.urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).rstrip(b"=")
    return b"." + body + b":1wXyZ9:" + b"s" * 43


def plant(client):
    """One session of each layout, and keys that are only named as such."""
    now = int(time.time())
    plain = {
        f":1:django.contrib.sessions.cache{DJANGO}": pickle.dumps({"x": Evil()}),
        f"app:1:django.contrib.sessions.cached_db{CACHED}": json.dumps({"_auth_user_id": "7"}),
        "session:" + "c" * 32: signed({"_auth_user_id": "41", "cart": ["KB-87"]}),
        "sess:" + "d" * 32: json.dumps(
            {"cookie": {"originalMaxAge": 60000, "expires": "2026-11-23T10:01:00.000Z"},
             "passport": {"user": {"id": 12}}, "ip": "10.0.0.9", "userAgent": "Firefox"}
        ),
        "session:" + "e" * 43: msgpack.packb({"_permanent": True, "_user_id": "sofia"}),
        "session:" + "f" * 40: b"\x00\xff neither",
        "sess:" + "g" * 32: "[" * 60_000,
        "session:settings-of-the-last-one": "just a text",
        "possessions": "x",
    }  # fmt: skip
    for name, value in plain.items():
        client.set(name, value, ex=1800)
    client.persist("session:" + "e" * 43)
    client.rpush("sess:" + "h" * 32, "a list")
    client.expire("sess:" + "h" * 32, 900)
    client.hset(f"spring:session:sessions:{UUID}", mapping={
        "creationTime": LONG + ((now - 600) * 1000).to_bytes(8, "big"),
        "lastAccessedTime": str((now - 60) * 1000), "maxInactiveInterval": "1800",
        b"sessionAttr:" + PRINCIPAL: java("liv"), "sessionAttr:cart": java("KB-87"),
    })  # fmt: skip
    client.expire(f"spring:session:sessions:{UUID}", 2100)
    client.set(f"spring:session:sessions:expires:{UUID}", "")
    client.sadd(index_of("spring", b"spring:session:", "liv"), java(UUID))
    return now


def test_every_layout_is_found_read_and_ended_and_nothing_is_run(build, client):
    now = plant(client)
    sessions = build(Sessions, AsyncSessions, Seal([KEY]), prefix="shop:", events=True)
    own = sessions.new("mara", address="10.0.0.7", agent="Firefox 131")
    own["cart"] = ["KB-87"]
    sessions.save(own)
    browser = build(SessionBrowser, AsyncSessionBrowser, Seal([KEY]))

    part = browser.find()
    assert part.cursor is None
    assert part.endless == {b"session:" + b"e" * 43}
    names = sorted(one.name for one in part.found)
    rows = {row.name: row for row in browser.read(names) if row}
    told = {row.kind: row for row in rows.values()}
    assert {(kind, row.content.who) for kind, row in told.items()} == {
        ("redisops", "mara"), ("django-db", "7"), ("django", "41"), ("spring", "liv"),
        ("express", "12"), ("flask", "sofia"),
    }  # fmt: skip
    assert len(rows) == 7  # and the pickled one
    pickled = rows[f":1:django.contrib.sessions.cache{DJANGO}".encode()]
    assert "never opened" in pickled.content.why
    assert "REDUCE 1" in pickled.content.why and "never-written" not in pickled.content.why
    assert told["redisops"].content.address == "10.0.0.7"
    assert told["express"].content.seen == 1795428000.0
    assert told["spring"].content.since == now - 600 and told["spring"].content.seen == now - 60
    assert told["flask"].left is None and told["express"].left > 1700

    assert json.loads(browser.values(told["redisops"])["cart"]) == ["KB-87"]
    assert browser.values(told["spring"])["sessionAttr:cart"] == java("KB-87")
    stranger = build(SessionBrowser, AsyncSessionBrowser)
    [sealed] = stranger.read([told["redisops"].name])
    assert sealed.content.who == "" and "sealed" in sealed.content.why
    assert stranger.values(sealed) == {"@whole": None}

    assert browser.of("redisops", b"shop:", "mara") == [told["redisops"].name]
    assert browser.of("spring", b"spring:session:", "liv") == [told["spring"].name]
    assert browser.end(list(rows.values())) == 7
    assert browser.end(list(rows.values())) == 0
    assert [row for row in browser.read(names) if row] == []
    assert sessions.load(own.id) is None
    assert [(end.how, end.handle) for end in sessions.ended()] == [("revoked", own.handle)]
    assert list(client.scan_iter(match="*spring*")) == []


@pytest.mark.parametrize(
    "name",
    [b"", b"sess:", b"session:{short}", b"session:" + b"a" * 600, b"possess:" + b"a" * 32,
     b"sessions:{mara}", b"spring:session:sessions:expires:" + UUID.encode(), b"\xff" * 40],
)  # fmt: skip
def test_other_keys_are_no_sessions(name):
    assert named(name) is None


def test_sessions_are_found_and_ended_on_a_cluster(cluster):
    client = connect(cluster.url)
    sessions = Sessions(client, Seal([KEY]))
    for _ in range(9):
        session = sessions.new("mara")
        session["n"] = 1
        sessions.save(session)
    browser = SessionBrowser(client, Seal([KEY]))
    rows = browser.read([one.name for one in browser.find().found])
    assert [row.content.who for row in rows] == ["mara"] * 9
    assert browser.end(rows) == 9
    assert sessions.of("mara") == []
    client.close()
