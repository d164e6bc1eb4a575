"""Sockets from the door to the last message: who may, what comes, and what a fault does."""

import asyncio
import json
import re
from collections import Counter

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.conf import settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test.utils import override_script_prefix
from django.urls import path, set_script_prefix

from dashboard.accounts.sessions import SessionStore, revoke_all
from dashboard.routing import Mounted, SameOrigin, SignedIn, is_ours, sockets
from dashboard.servers.live import guard
from dashboard.servers.live.consumer import LiveConsumer, SamplesTopic, StreamTopic
from dashboard.servers.live.hub import Hub
from dashboard.servers.models import Grant
from dashboard.servers.sampling import sampler, samples
from tests.dashboard.servers.sockets import Socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]

OVERVIEW = "/ws/servers/shop/overview/"
HERE = "http://testserver"


class Tail(LiveConsumer):
    """A stream of the server, as the streams page will have it."""

    permission = "servers.view"

    async def follow(self):
        return StreamTopic(self.server, self.params["name"].encode())


class Forbidding(Tail):
    permission = "servers.delete"


class Failing(Tail):
    async def follow(self):
        raise KeyError("a bug")


ROUTES = [
    path("ws/servers/<slug:slug>/tail/<str:name>/", Tail.as_asgi()),
    path("ws/servers/<slug:slug>/forbidding/<str:name>/", Forbidding.as_asgi()),
    path("ws/servers/<slug:slug>/failing/<str:name>/", Failing.as_asgi()),
]
TRIAL = SameOrigin(SignedIn(URLRouter(ROUTES)))
TAIL = "/ws/servers/shop/tail/events/"


@pytest.fixture(autouse=True)
def _hosts(settings):
    settings.ALLOWED_HOSTS = ["testserver"]


@pytest.fixture
def cookie(client_for):
    """``await cookie(user)``: the Cookie header of somebody signed in."""

    def sign_in(user):
        client = client_for(user)
        if user is None:
            return b""
        name = settings.SESSION_COOKIE_NAME
        return f"{name}={client.cookies[name].value}".encode()

    return database_sync_to_async(sign_in)


@pytest.fixture
def dial(cookie):
    """``await dial(user, path)``: a socket that is not connected yet."""
    opened = []

    async def make(user, address=OVERVIEW, *, origin=HERE, app=sockets):
        headers = [(b"host", b"testserver"), (b"cookie", await cookie(user))]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        socket = Socket(app, address, headers)
        opened.append(socket)
        return socket

    return make


async def until(is_so):
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - a server's state
            await asyncio.sleep(0.02)


def queues():
    """The queues of all sockets that are fed."""
    return [queue for reader in Hub.here().readers.values() for queue in reader.queues]


async def watches(sockets=1):
    """Return when so many sockets are fed: what comes from now on reaches their pages."""
    async with asyncio.timeout(20):
        while len(queues()) < sockets:  # noqa: ASYNC110 - the consumers' own state
            await asyncio.sleep(0.01)
        for reader in list(Hub.here().readers.values()):
            await reader._started.wait()


# --- The door -----------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["owner", "operator", "viewer"])
async def test_who_may_see_the_server_may_watch_it(dial, owner, operator, viewer, person):
    socket = await dial({"owner": owner, "operator": operator, "viewer": viewer}[person])

    accepted, _ = await socket.connect()

    assert accepted
    await socket.leave()


async def test_a_stranger_learns_as_little_as_about_no_server(dial, stranger, server, owner):
    refused = [
        await (await dial(stranger)).connect(),
        await (await dial(owner, "/ws/servers/nothing/overview/")).connect(),
    ]

    assert refused == [(False, 4404), (False, 4404)]


async def test_nobody_watches_without_signing_in(dial, server):
    assert await (await dial(None)).connect() == (False, 4401)


async def test_a_missing_right_is_refused_before_anything_is_read(dial, viewer):
    socket = await dial(viewer, "/ws/servers/shop/forbidding/events/", app=TRIAL)

    assert await socket.connect() == (False, 4403)
    assert Hub.here().readers == {}


@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "", "http://evil.example", "https://testserver", "http://testserver:8080",
        "http://testserver.evil.example", "http://evil.example/testserver", "http://[", "x",
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_opens_nothing(dial, owner, server, origin):
    assert await (await dial(owner, origin=origin)).connect() == (False, 4403)


def scope(origin, host="console.example", scheme="ws", **headers):
    pairs = {"origin": origin, "host": host, **headers}
    return {
        "scheme": scheme,
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
    }


def test_the_origin_is_compared_with_its_port_and_scheme(settings):
    settings.ALLOWED_HOSTS = ["console.example"]

    assert is_ours(scope("https://console.example", scheme="wss"))
    assert is_ours(scope("http://console.example:8000", "console.example:8000"))
    assert is_ours(scope("https://console.example:443", scheme="wss"))
    assert not is_ours(scope("http://console.example", scheme="wss"))
    assert not is_ours(scope("http://other.example", "other.example"))


def test_a_proxy_is_believed_only_where_settings_say_so(settings):
    settings.ALLOWED_HOSTS = ["console.example"]
    behind = scope("https://console.example", **{"x-forwarded-proto": "https"})

    assert not is_ours(behind)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert is_ours(behind)
    assert not is_ours(scope("http://console.example", **{"x-forwarded-proto": "https"}))


def test_a_trusted_origin_is_let_in(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://ops.example"]

    assert is_ours(scope("https://ops.example", "internal:8000"))


async def test_an_unknown_address_is_refused(dial, owner):
    assert await (await dial(owner, "/ws/nothing/")).connect() == (False, 4404)


async def test_below_a_sub_path_the_page_names_a_socket_that_is_there(
    dial, client_for, viewer, server, settings
):
    settings.FORCE_SCRIPT_NAME = "/console"

    def page():
        with override_script_prefix("/console/"):  # as Django's handler sets it
            return client_for(viewer).get("/servers/shop/").content.decode()

    address = re.search(r'data-socket="([^"]+)"', await database_sync_to_async(page)())[1]
    socket = await dial(viewer, address)

    assert address == f"/console{OVERVIEW}"
    assert (await socket.connect())[0]
    await socket.leave()


async def test_below_a_sub_path_pushed_links_lead_below_it(server, settings):
    settings.FORCE_SCRIPT_NAME = "/console"
    topic = SamplesTopic(server, lambda one, _: {"link": one.get_absolute_url()})
    pushed = []

    async def page(scope, receive, send):
        pushed.append(await topic._parts())

    await Mounted(page)({"path": f"/console{OVERVIEW}"}, None, None)
    set_script_prefix("/")

    assert pushed == [{"link": "/console/servers/shop/"}]


async def test_who_must_change_their_password_watches_nothing_before(dial, viewer):
    viewer.must_change_password = True
    await database_sync_to_async(viewer.save)()

    assert await (await dial(viewer)).connect() == (False, 4401)


@pytest.mark.parametrize("has_home", [True, False])
async def test_without_a_database_a_socket_is_asked_to_come_again(
    dial, viewer, home_process, monkeypatch, has_home
):
    socket = await dial(viewer)

    def away(*_, **__):
        raise OperationalError("the database is away")

    monkeypatch.setattr(CursorWrapper, "execute", away)
    if not has_home:
        home_process.pause()
        monkeypatch.setattr(SessionStore.get_watch(), "trust", 0.0)
    try:
        assert await socket.connect() == (False, 1013)
    finally:
        home_process.resume()


async def test_a_follow_that_fails_closes_as_a_fault_of_ours(dial, viewer, caplog):
    socket = await dial(viewer, "/ws/servers/shop/failing/events/", app=TRIAL)

    assert await socket.connect() == (False, 1011)


# --- What comes ---------------------------------------------------------------------------


@pytest.fixture
def look(server):
    """``await look(n)``: the sampler's n-th look at the server."""
    start = samples.slot() - 600

    async def sample(n):
        return await asyncio.to_thread(sampler.sample, [server], start + 2 * n)

    return sample


async def test_each_look_reaches_the_page_as_a_row_and_as_what_is_so_now(dial, viewer, look):
    socket = await dial(viewer)
    await socket.connect()
    await watches()
    await look(0)

    rows = (await socket.message("rows"))["rows"]

    ((row_id, (at, good, failed, cause, *values)),) = rows
    assert row_id == f"{at}000-0"
    assert (good, failed, cause) == (1, 0, "")
    assert len(values) == len(samples.FIELDS)
    assert values[list(samples.FIELDS).index("memory")] > 100_000
    await socket.leave()


async def test_a_page_goes_on_where_it_was(dial, viewer, look):
    for n in range(4):
        await look(n)
    first = int(next(iter((await look(4)).values())).slot) - 8

    socket = await dial(viewer, f"{OVERVIEW}?after={first}000-0")
    await socket.connect()

    rows = (await socket.message("rows"))["rows"]
    assert [row[1][0] - first for row in rows] == [2, 4, 6, 8]
    await socket.leave()


@pytest.mark.parametrize("after", ["x", "99999999999999999999999-0", "%00", "a" * 500, "-", "+"])
async def test_a_nonsense_id_is_a_gap_or_nothing_but_never_a_fault(dial, viewer, look, after):
    socket = await dial(viewer, f"{OVERVIEW}?after={after}")
    await socket.connect()
    await watches()
    await look(0)

    assert (await socket.message("rows"))["rows"]
    await socket.leave()


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"t": 1}', '{"t":"show","after":5}', "x" * 5000]
)
async def test_nonsense_from_the_page_changes_nothing(dial, viewer, look, text):
    socket = await dial(viewer)
    await socket.connect()
    await socket.say(text)
    await watches()
    await look(0)

    assert (await socket.message("rows"))["rows"]
    await socket.leave()


async def test_a_hidden_page_counts_and_gets_all_when_shown(dial, viewer, data):
    socket = await dial(viewer, TAIL, app=TRIAL)
    await socket.connect()
    await watches()
    first = data.xadd("events", {"n": 0}).decode()
    await socket.message("rows")
    await socket.say(json.dumps({"t": "hide"}))
    async with asyncio.timeout(20):
        while not queues()[0].counts_only:  # noqa: ASYNC110 - the consumer's own state
            await asyncio.sleep(0.01)
    added = [data.xadd("events", {"n": n}).decode() for n in range(5)]

    assert (await socket.message("count"))["rows"] == 5
    await socket.say(json.dumps({"t": "show", "after": first}))

    assert [row[0] for row in (await socket.message("rows"))["rows"]] == added
    await socket.leave()


async def test_many_sockets_are_one_reader_and_none_after_the_last_left(
    dial, viewer, target, monkeypatch
):
    monkeypatch.setattr("dashboard.servers.live.hub.LINGER", 0.1)
    sockets = [await dial(viewer, TAIL, app=TRIAL) for _ in range(30)]

    def readers():
        with target.client() as plain:
            return Counter(client["cmd"] for client in plain.client_list())["xread"]

    for socket in sockets:
        await socket.connect()
    await watches(30)

    assert len(Hub.here().readers) == 1
    await until(lambda: readers() == 1)  # between two blocking reads it is none
    for socket in sockets:
        await socket.leave()
    await until(lambda: readers() == 0)
    assert not guard.Guard.here().sockets


# --- Rights that end ----------------------------------------------------------------------


async def test_a_revoked_session_closes_its_sockets_within_two_seconds(dial, viewer):
    socket = await dial(viewer)
    await socket.connect()
    await database_sync_to_async(revoke_all)(viewer)

    assert await socket.closed() == 4401
    assert guard.SESSION_SECONDS <= 2


async def test_a_right_that_is_taken_closes_at_once(dial, viewer, owner, home_process, monkeypatch):
    monkeypatch.setattr(guard, "RIGHTS_SECONDS", 3600.0)
    socket, other = await dial(viewer), await dial(owner)
    await socket.connect()
    await other.connect()
    with home_process.client() as plain:  # the guard listens
        await until(lambda: plain.pubsub_channels(f"*{guard.GROUP}*"))
    await database_sync_to_async(Grant.objects.all().delete)()

    assert await socket.closed() == 4403
    await socket.wait(20)
    assert len(guard.Guard.here().sockets) == 1
    await other.leave()


async def test_a_right_that_is_taken_silently_is_found_by_the_timer(dial, viewer, monkeypatch):
    monkeypatch.setattr(guard, "RIGHTS_SECONDS", 0.1)
    monkeypatch.setattr(guard, "SESSION_SECONDS", 0.1)
    socket = await dial(viewer)
    await socket.connect()
    await database_sync_to_async(Grant.objects.all()._raw_delete)("default")

    assert await socket.closed() == 4403


async def test_a_removed_server_closes_its_sockets(dial, viewer, server, monkeypatch):
    monkeypatch.setattr(guard, "SESSION_SECONDS", 0.1)
    monkeypatch.setattr(guard, "RIGHTS_SECONDS", 0.1)
    socket = await dial(viewer)
    await socket.connect()
    await database_sync_to_async(server.delete)()

    assert await socket.closed() == 4403


# --- Pages that do not read, servers that die ---------------------------------------------


async def test_a_page_that_does_not_read_is_closed_and_holds_up_nobody(
    dial, cookie, viewer, data, monkeypatch
):
    monkeypatch.setattr(guard, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(guard, "SESSION_SECONDS", 0.1)
    sent = []
    hung = asyncio.Event()

    async def send(event):
        sent.append(event)
        if event["type"] == "websocket.send":
            hung.set()
            await asyncio.sleep(60)

    incoming = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    headers = [
        (b"host", b"testserver"), (b"origin", HERE.encode()), (b"cookie", await cookie(viewer)),
    ]  # fmt: skip
    stuck = asyncio.create_task(
        TRIAL(
            {"type": "websocket", "path": TAIL, "query_string": b"", "headers": headers},
            incoming.get,
            send,
        )
    )
    other = await dial(viewer, TAIL, app=TRIAL)
    await other.connect()
    await watches(2)

    data.xadd("events", {"n": 1})

    assert (await other.message("rows"))["rows"]
    await asyncio.wait_for(hung.wait(), 20)
    await asyncio.wait_for(stuck, 20)
    assert sent[-1]["type"] == "websocket.close"
    assert sent[-1]["code"] == 4008
    await other.leave()


async def test_home_may_die_under_open_sockets_and_they_recover(dial, viewer, look, home_process):
    socket = await dial(viewer)
    await socket.connect()
    await watches()
    await look(0)
    await socket.message("rows")

    home_process.kill()
    lost = await socket.message("source")
    assert (lost["ok"], lost["cause"]) == (False, "unreachable")
    await asyncio.to_thread(home_process.start)

    assert (await socket.message("source"))["ok"]
    await look(1)
    assert (await socket.message("rows"))["rows"]
    await socket.leave()


async def test_home_may_hang_under_open_sockets_and_they_recover(dial, viewer, look, home_process):
    socket = await dial(viewer)
    await socket.connect()
    await watches()
    await look(0)
    await socket.message("rows")

    home_process.pause()
    try:
        assert not (await socket.message("source"))["ok"]
    finally:
        home_process.resume()

    assert (await socket.message("source"))["ok"]
    await socket.leave()


async def test_a_flushed_home_is_a_gap_and_the_sockets_stay(dial, viewer, look, home_process):
    socket = await dial(viewer)
    await socket.connect()
    await watches()
    await look(0)
    await socket.message("rows")

    with home_process.client() as plain:
        plain.flushall()

    assert (await socket.message("gap"))["why"] == "recreated"
    await look(1)
    assert (await socket.message("rows"))["rows"]
    await socket.leave()


async def test_listening_for_control_messages_in_vain_leaves_nothing_behind(
    home_process, monkeypatch
):
    monkeypatch.setattr(guard, "LISTEN_AGAIN_SECONDS", 0.01)
    layer = get_channel_layer()
    tried = asyncio.Event()
    subscribe = type(layer._get_layer())._subscribe_to_channel
    tries = []

    async def count(self, channel):
        tries.append(channel)
        if len(tries) > 5:
            tried.set()
        await subscribe(self, channel)

    monkeypatch.setattr(type(layer._get_layer()), "_subscribe_to_channel", count)
    home_process.kill()
    listening = asyncio.create_task(guard.Guard()._listen())
    try:
        await asyncio.wait_for(tried.wait(), 20)
        assert len(layer.channels) <= 1
    finally:
        listening.cancel()
        home_process.start()
        await asyncio.gather(listening, return_exceptions=True)
        await layer.flush()
