"""The API of services: who may ask, registering and beating, finding, and who waits."""

import asyncio
import functools
import json
import subprocess
import threading
import time

import pytest
import uvicorn
from django.test import AsyncClient, Client

from dashboard.accounts import tokens
from dashboard.accounts.models import ApiToken
from dashboard.asgi import application
from dashboard.services.api import following, scraping, waiting
from dashboard.services.wall import known
from redisops.services import Registration, Registry, Sweeper, looking
from tests.servers import RedisProcess, free_port, until

pytestmark = pytest.mark.django_db
SCOPES = ["services.register", "services.discover"]
ORDERS = {"service": "orders", "id": "o-1", "address": "10.0.0.7", "port": 8000, "zone": "b"}


@pytest.fixture(autouse=True)
def _nothing_is_remembered():
    scraping.forget_all()
    known.forget_all()


@pytest.fixture
def token(operator):
    return tokens.create(operator, "shell", scopes=SCOPES, servers=["shop"], days=90)


@pytest.fixture
def bearer(token):
    return {"Authorization": f"Bearer {token[1]}"}


@pytest.fixture
def ask(bearer, data):
    """``ask("get", "orders", ...)``: the API's answer about services on the server *shop*."""
    caller = Client(headers=bearer, enforce_csrf_checks=True)

    def send(method, path, body=None, headers=None, **query):
        if body is not None:
            text = json.dumps({"server": "shop", "instances": body, **query})
            return caller.post(f"/api/services/{path}", text, content_type="application/json")
        words = "&".join(f"{name}={value}" for name, value in {"server": "shop", **query}.items())
        call = getattr(caller, method)
        return call(f"/api/services/{path}?{words}", headers=headers or {})

    return send


def test_register_beat_drain_and_leave_with_the_fence_as_proof(ask, server, data):
    answer = ask("post", "register", [ORDERS, {**ORDERS, "id": "bad id"}])
    assert answer.status_code == 422 and "bad id" in answer.json()["detail"]
    made = ask("post", "register", [ORDERS, {**ORDERS, "id": "o-2", "ttl": 6}]).json()
    first, second = made["instances"]
    assert (first["state"], first["problem"], made["beat_every"]) == ("passing", "", 2.0)

    held = [
        {"service": "orders", "id": one["id"], "fence": one["fence"]} for one in (first, second)
    ]
    beaten = ask("post", "beat", [*held, {"service": "new", "id": "n", "fence": 5}]).json()
    assert (beaten["missing"], beaten["replaced"]) == ([{"service": "new", "id": "n"}], [])
    Registry(server.client()).register(Registration("orders", "o-2", "10.0.0.9", 1))
    beaten = ask("post", "beat", held).json()
    assert beaten["replaced"] == [{"service": "orders", "id": "o-2"}]
    again = ask("post", "register", [{**ORDERS, "id": "o-2", "fence": second["fence"]}]).json()
    assert "another process" in again["instances"][0]["problem"]

    drained = ask("post", "drain", held, why="deploy").json()
    assert drained["drained"] == [{"service": "orders", "id": "o-1"}]
    assert drained["replaced"] == [{"service": "orders", "id": "o-2"}]
    whys = [entry[b"why"].decode() for _, entry in data.xrange("svc:{orders}:events")]
    assert whys[0] == "registered over HTTP, token shell"
    assert whys[-1] == "deploy (over HTTP, token shell)"
    states = {
        one["id"]: one["state"] for one in ask("get", "orders", state="all").json()["instances"]
    }
    assert states == {"o-1": "draining", "o-2": "passing"}
    assert ask("delete", "orders/o-2", fence=second["fence"]).json() == {"left": False}
    assert ask("delete", "orders/o-1", fence=first["fence"]).json() == {"left": True}
    assert ask("delete", "orders/o-1", fence=first["fence"]).json() == {"left": False}


def test_discovery_filters_and_answers_304_to_who_knows(ask, server, data):
    registry = Registry(server.client())
    for number, zone in enumerate("aab"):
        registry.register(Registration("orders", f"o-{number}", "10.0.0.1", 80, zone=zone))
    found = ask("get", "orders", zone="a")
    assert [one["id"] for one in found.json()["instances"]] == ["o-0", "o-1"]
    assert (
        ask("get", "orders", zone="a", headers={"If-None-Match": found["ETag"]}).status_code == 304
    )
    assert ask("get", "orders", headers={"If-None-Match": found["ETag"]}).status_code == 200
    registry.drain("orders", "o-0")
    after = ask("get", "orders", zone="a", headers={"If-None-Match": found["ETag"]})
    assert after.status_code == 200 and after.json()["index"] != found.json()["index"]
    assert ask("get", "or{der}s").status_code == 422
    data.set("svc:{odd}:rec", "not a hash")
    assert ask("get", "odd").status_code == 503


def test_a_token_does_what_it_is_for_and_no_more(ask, token, operator, viewer, server):
    row = token[0]
    row.services = ["orders", "pay*"]
    row.save()
    registry = Registry(server.client())
    for one in ("orders", "payments"):
        registry.register(Registration(one, "o-9", "10.0.0.9", 80))
    assert ask("get", "orders").status_code == ask("get", "payments").status_code == 200
    refused = ask("get", "mail")
    assert refused.status_code == 403 and "mail" in refused.json()["detail"]
    assert ask("post", "register", [{**ORDERS, "service": "mail"}]).status_code == 403
    row.scopes = ["services.discover"]
    row.save()
    assert ask("post", "register", [ORDERS]).status_code == 403
    assert ask("get", "orders", server="other").status_code == 404
    ApiToken.objects.update(owner=viewer)
    assert ask("get", "orders").status_code == 200
    ApiToken.objects.update(scopes=SCOPES)
    assert "no operator" in ask("post", "register", [ORDERS]).json()["detail"]
    assert Client().get("/api/services/orders?server=shop").status_code == 401


def test_prometheus_is_never_told_that_nothing_is_there(ask, token, server, data):
    assert ask("get", "http_sd").status_code == 503
    registry = Registry(server.client())
    registry.register(
        Registration("orders", "o-1", "::1", 80, tags=("x", "y"), metadata={"a-b": "1"})
    )
    registry.register(Registration("mail", "m-1", "10.0.0.2", 25))
    mail, orders = ask("get", "http_sd").json()
    assert orders["targets"] == ["[::1]:80"] and mail["targets"] == ["10.0.0.2:25"]
    assert orders["labels"]["__meta_redisops_tags"] == ",x,y,"
    assert orders["labels"]["__meta_redisops_meta_a_b"] == "1"
    ApiToken.objects.update(services=["mail"])
    assert [one["targets"] for one in ask("get", "http_sd").json()] == [["10.0.0.2:25"]]
    data.flushall()
    registry.register(Registration("mail", "m-1", "10.0.0.2", 25))  # half is back
    lost = ask("get", "http_sd")
    assert lost.status_code == 503 and lost["Retry-After"] == "5"


def test_a_new_service_takes_no_target_from_prometheus(ask, server, data):
    registry = Registry(server.client())
    registry.register(Registration("orders", "o-1", "10.0.0.1", 80))
    Sweeper(server.client(), ["orders"]).look()
    young = ask("get", "http_sd")  # the first look of all: others may be coming back
    assert young.status_code == 503 and "all that is there is new" in young.json()["detail"]
    assert ask("get", "http_sd").status_code == 503
    scraping.forget_all()
    data.hset("svc:{orders}:swept", "hold", 0)
    assert ask("get", "http_sd").status_code == 200

    registry.register(Registration("mail", "m-1", "10.0.0.2", 25))
    Sweeper(server.client(), ["mail"]).look()
    assert float(data.hget("svc:{mail}:swept", "hold")) > time.time() * 1000

    assert len(ask("get", "http_sd").json()) == 2
    scraping.forget_all()  # another process, which told nothing yet
    assert len(ask("get", "http_sd").json()) == 2


def test_targets_of_many_services_go_on_from_what_is_known(ask, server, data, monkeypatch):
    monkeypatch.setattr(looking, "READ_AT_ONCE", 1)
    monkeypatch.setattr(scraping, "MOST_LOOKS", 2)
    registry = Registry(server.client())
    for name in ("a", "b", "c", "d"):
        registry.register(Registration(name, "1", "10.0.0.1", 80))

    assert [ask("get", "http_sd").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("at_once", [1, 1_000])
def test_targets_are_those_of_now_however_many_services_there_are(
    at_once, ask, server, data, monkeypatch
):
    for module in (looking, scraping):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
    monkeypatch.setattr(looking, "NAMES_AT_ONCE", 1)
    data.sadd("svc:services", *(f"no name {n}" for n in range(600)))  # told in pages
    registry = Registry(server.client())
    held = [registry.register(Registration(name, "1", "10.0.0.1", 80)) for name in "abcd"]
    assert len(ask("get", "http_sd").json()) == 4

    for name in "abcdxyz":
        registry.register(Registration(name, "2", "10.0.0.2", 80))
    registry.deregister("b", "1", "left", fence=held[1].fence)
    told = {
        (one["labels"]["__meta_redisops_service"], target)
        for one in ask("get", "http_sd").json()
        for target in one["targets"]
    }

    both = {(name, address) for name in "acd" for address in ("10.0.0.1:80", "10.0.0.2:80")}
    assert told == both | {(name, "10.0.0.2:80") for name in "bxyz"}


def test_targets_are_not_known_while_redis_is_away_though_the_wall_just_looked(
    ask, server, data, target
):
    Registry(server.client()).register(Registration("orders", "o-1", "10.0.0.1", 80))
    assert known.look(server).is_fresh and ask("get", "http_sd").status_code == 200

    target.kill()
    try:
        assert ask("get", "http_sd").status_code == 503
    finally:
        target.start()


def test_a_service_that_nobody_registered_is_not_found(ask, server, data):
    missing = ask("get", "nosuch")
    assert missing.status_code == 404 and "nosuch" in missing.json()["detail"]
    waited = ask("get", "nosuch", index="other.1")
    assert (waited.status_code, waited.json()["index"]) == (200, "none.0")
    held = Registry(server.client()).register(Registration("orders", "o-1", "10.0.0.1", 80))
    Registry(server.client()).deregister("orders", "o-1", "left", fence=held.fence)
    assert ask("get", "orders").json()["instances"] == []  # known, and nobody is there


@pytest.mark.django_db(transaction=True)
async def test_who_waits_shares_one_discovery_and_costs_no_thread(
    bearer, server, data, monkeypatch
):
    monkeypatch.setattr(following, "LINGER", 0.0)
    monkeypatch.setattr(waiting, "AGAIN", 0.3)
    caller = functools.partial(AsyncClient().get, headers=bearer)
    registry = Registry(server.client())
    await asyncio.to_thread(registry.register, Registration("orders", "o-1", "10.0.0.7", 80))
    address = "/api/services/orders?server=shop"
    answer = await caller(address)
    assert answer.status_code == 200, answer.content
    index = answer.json()["index"]

    async def read(answer):
        return json.loads(b"".join([part async for part in answer.streaming_content]))

    answers = [await caller(f"{address}&index={index}&wait=30") for _ in range(20)]
    stream = await caller("/api/services/orders/watch?server=shop")
    assert stream["Content-Type"] == "text/event-stream"
    parts = stream.streaming_content.__aiter__()
    before = threading.active_count()
    polls = [asyncio.ensure_future(read(answer)) for answer in answers]
    text = b""
    while b"event: service" not in text:
        text += await anext(parts)
    listening = [one for one in data.client_list() if int(one["sub"])]
    assert len(listening) == 1 and threading.active_count() <= before + 1

    await asyncio.to_thread(registry.drain, "orders", "o-1", "deploy")

    found = await asyncio.gather(*polls)
    assert {one["index"] for one in found} != {index} and not found[0]["instances"]
    while b"event: change" not in text:
        text += await anext(parts)
    said = json.loads(text.partition(b"event: change\ndata: ")[2].partition(b"\n")[0])
    assert (said["id"], said["to"], said["why"]) == ("o-1", "draining", "deploy")
    assert said["index"] == found[0]["index"]

    last = await caller(f"{address}&index={found[0]['index']}&wait=0.05")
    assert (await read(last))["index"] == found[0]["index"]  # nothing came: the same again
    stopped = await caller(f"{address}&index={found[0]['index']}&wait=30")
    waits = asyncio.ensure_future(read(stopped))
    await ApiToken.objects.aupdate(scopes=[])
    assert (await waits)["index"] == found[0]["index"]  # long before its 30 s
    rest = [part async for part in stream.streaming_content]
    assert not any(b"event:" in part for part in rest)
    await asyncio.sleep(0)
    while following._ending:
        await asyncio.gather(*following._ending)
    await server.async_client().aclose()


@pytest.fixture
def origin(transactional_db):
    """A real Uvicorn with the console behind it, in a thread of its own."""
    port = free_port()
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, ws="none", lifespan="off", log_config=None
    )
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    until(lambda: web.started, "Uvicorn did not start", 20)
    yield f"http://127.0.0.1:{port}"
    web.should_exit = web.force_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_curl_alone_takes_part_and_is_told_the_age_while_redis_is_away(origin, operator, server):
    with RedisProcess() as shop:
        server.nodes = f"127.0.0.1:{shop.port}"
        server.save()
        text = tokens.create(operator, "curl", scopes=SCOPES, servers=["shop"], days=1)[1]
        base = ["curl", "-sN", "-m", "30", "-H", f"Authorization: Bearer {text}"]
        root = f"{origin}/api/services"

        def curl(path, *more):
            done = subprocess.run([*base, f"{root}/{path}", *more], capture_output=True)
            return json.loads(done.stdout)

        def post(path, *instances):
            return curl(path, "-d", json.dumps({"server": "shop", "instances": instances}))

        (held,) = post("register", ORDERS)["instances"]
        proof = {"service": "orders", "id": "o-1", "fence": held["fence"]}
        assert post("beat", proof)["missing"] == []
        first = curl("orders?server=shop")
        assert [one["address"] for one in first["instances"]] == ["10.0.0.7"]
        asked = f"{root}/orders?server=shop&wait=30&index={first['index']}"
        poll = subprocess.Popen([*base, asked], stdout=subprocess.PIPE)
        watch = subprocess.Popen(
            [*base, f"{root}/orders/watch?server=shop"], stdout=subprocess.PIPE
        )
        with watch.stdout as lines:
            while b"event: service" not in lines.readline():
                assert watch.poll() is None, "the stream ended"
            assert post("drain", proof)["drained"]
            told = json.loads(poll.communicate(timeout=30)[0])
            assert told["index"] != first["index"] and told["instances"] == []

            shop.process.kill()
            shop.process.wait()
            kept = curl("orders?server=shop&state=all")
            assert kept["age"] > 0 and [one["id"] for one in kept["instances"]] == ["o-1"]
            assert curl("http_sd?server=shop")["status"] == 503
            watch.kill()
            watch.wait(20)


def test_the_document_and_its_page_have_both_parts(client_for, viewer):
    document = Client().get("/api/openapi.json").json()
    assert {"/api/limits/check", "/api/services/register"} <= set(document["paths"])
    page = client_for(viewer)
    assert b"Find the others" in page.get("/api/docs?about=services").content
    assert b"/api/limits/check" in page.get("/api/docs").content
