"""All servers at a glance, and the verdict on each."""

import re
import time

import pytest

from dashboard.servers.models import Server
from dashboard.servers.overview import fleet as fleet_rows
from dashboard.servers.overview import verdict
from dashboard.servers.sampling import sampler, samples
from dashboard.servers.sampling.samples import Snapshot
from tests.dashboard.conftest import assert_valid_html
from tests.servers import free_port

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def dead(db):
    return Server.objects.create(name="Dead", slug="dead", nodes=f"127.0.0.1:{free_port()}")


def test_each_sees_what_is_theirs(client_for, server, dead, viewer, stranger, owner):
    sampler.sample([server, dead])

    pages = {user: client_for(user).get("/") for user in (viewer, stranger, owner)}

    for page in pages.values():
        assert page.status_code == 200
        assert_valid_html(page)
    assert "Shop" in text(pages[viewer])
    assert "Dead" not in text(pages[viewer])
    assert "No server is shared with you" in text(pages[stranger])
    assert "2 servers: 1 unreachable, 1 healthy." in text(pages[owner])


def test_nobody_is_sent_to_the_sign_in(client_for, db):
    assert client_for(None).get("/").status_code == 302


def test_the_worst_comes_first_and_wants_someone(client_for, server, dead, owner):
    sampler.sample([server, dead])

    page = text(client_for(owner).get("/"))

    assert "Needs someone 1, worst first" in page
    assert page.index("Dead does not answer") < page.index("Servers Worst first")


def test_a_poll_answers_only_what_changed(client_for, server, owner, monkeypatch):
    monkeypatch.setattr(samples, "STALE", 1000)
    sampler.sample([server])
    browser = client_for(owner)
    first = browser.get("/", headers=HTMX)
    version = re.search(r"version=(\w+)", first.content.decode())[1]

    assert_valid_html(first)
    assert first["Vary"].count("HX-Request") == 1
    assert browser.get("/", {"version": "old"}, headers=HTMX).status_code == 200
    again = browser.get("/", {"version": version}, headers=HTMX)
    assert again.status_code in (200, 204)


def test_rows_under_the_pointer_hold_their_order(server, dead):
    found = {server.pk: Snapshot(), dead.pk: Snapshot(slot=samples.slot(), failing=failing())}

    free = fleet_rows.rows([server, dead], found)
    held = fleet_rows.rows([server, dead], found, held=["shop", "dead"])

    assert [row.server.slug for row in free] == ["dead", "shop"]
    assert [row.server.slug for row in held] == ["shop", "dead"]


@pytest.mark.parametrize("sort", ["", "name", "environment", "'; drop", "\x00"])
def test_any_order_that_is_asked_for_is_a_page(client_for, owner, server, dead, sort):
    page = client_for(owner).get("/", {"sort": sort, "hold": "a,,b", "version": "x"})

    assert page.status_code == 200
    assert_valid_html(page)


def test_without_home_the_fleet_is_looked_at_directly(client_for, owner, server, home_process):
    browser = client_for(owner)
    home_process.kill()
    try:
        page = browser.get("/")
    finally:
        home_process.start()

    assert page.status_code == 200
    assert "own Redis does not answer" in text(page)
    assert "Healthy" in text(page)


def test_hostile_server_names_do_nothing(client_for, owner, server):
    server.name = "<img src=x onerror=alert(1)>{{7*7}}"
    server.save()

    page = client_for(owner).get("/")

    assert_valid_html(page)
    assert "<img" not in page.content.decode()


# --- Verdicts -----------------------------------------------------------------------------

NOW = 1_800_000_000.0
SHOP = Server(name="Shop", slug="shop")


def failing(cause="unreachable", since=NOW - 1005):
    return {
        "since": since, "last": NOW, "tries": 100, "cause": cause,
        "sentence": "Redis does not accept connections.", "next": "", "detail": "refused",
    }  # fmt: skip


def judged(**known):
    known = {"slot": int(NOW), "at": NOW, "uptime": 3_542_400, **known}
    return verdict.judge(SHOP, Snapshot(**known), NOW)


def test_a_server_that_is_well():
    found = judged()

    assert (found.state, found.word, found.lead) == ("ok", "Healthy", ", up 41 d.")


def test_a_server_that_does_not_answer():
    found = judged(failing=failing(), at=NOW - 1007)

    assert (found.state, found.word) == ("unreachable", "Unreachable")
    assert "16 min 45 s" in found.lead
    assert "100 tries since" in found.sentence


@pytest.mark.parametrize(
    ("cause", "state", "word"),
    [
        ("auth", "bad", "Sign-in refused"), ("noperm", "bad", "Right missing"),
        ("loading", "changing", "Loading"), ("timeout", "unreachable", "Unreachable"),
        ("busy", "bad", "In trouble"),
    ],
)  # fmt: skip
def test_causes_have_their_own_word(cause, state, word):
    found = judged(failing=failing(cause))

    assert (found.state, found.word) == (state, word)


def test_what_nobody_looked_at_is_not_known():
    assert judged(slot=int(NOW) - 60).state == "unknown"
    assert verdict.judge(SHOP, None, NOW).state == "unknown"
    assert verdict.judge(Server(watched=False), None, NOW).state == "off"


def test_a_server_that_fills_up_says_when_it_is_full():
    found = judged(
        figures={"memory": 920.0, "limit": 1000.0},
        policy="noeviction",
        hour=[[NOW - 3600, 800.0, None], [NOW, 920.0, None]],
    )

    assert (found.state, found.word, found.brief) == ("warn", "Memory 92%", "full in about 40 min")


def test_a_cache_that_evicts_is_no_trouble():
    found = judged(figures={"memory": 990.0, "limit": 1000.0}, policy="allkeys-lru")

    assert found.state == "ok"
    assert "keys are evicted" in found.sentence


@pytest.mark.parametrize(
    ("known", "state", "words"),
    [
        ({"persistence": {"rdb_last_bgsave_status": "err"}}, "bad", "could not save"),
        ({"persistence": {"aof_enabled": True, "aof_last_write_status": "err"}}, "bad", "append"),
        ({"replication": {"role": "slave", "master_link_status": "down"}}, "bad", "cut off"),
        ({"figures": {"rejected": 2.0}}, "bad", "refuses clients"),
        ({"figures": {"clients": 900.0}, "maxclients": 1000}, "warn", "90% of its clients"),
        ({"figures": {"cpu": 0.95}}, "warn", "95% of one core"),
        ({"loading": {"percent": 40.0}}, "changing", "loading"),
    ],
)  # fmt: skip
def test_each_problem_is_named(known, state, words):
    found = judged(**known)

    assert found.state == state
    assert words in found.problems[0].title


def test_a_replica_that_lags_is_named():
    replica = {"address": "10.0.0.2:6379", "state": "online", "lag": 24, "behind": 1, "offset": 1}
    found = judged(replication={"role": "master", "replicas": [replica]})

    assert (found.state, found.word) == ("warn", "Replica behind")
    assert "10.0.0.2:6379" in found.sentence


def test_the_worst_of_several_problems_leads():
    found = judged(
        figures={"cpu": 0.95, "rejected": 1.0}, persistence={"rdb_last_bgsave_status": "err"}
    )

    assert found.state == "bad"
    assert len(found.problems) == 3
    assert "It also uses 95% of one core." in found.sentence


def test_the_sentence_counts_and_speaks_of_production():
    prod = Server(pk=1, name="prod", slug="prod", environment="production")
    dev = Server(pk=2, name="dev", slug="dev", environment="development")
    now = time.time()
    well = Snapshot(slot=int(now), at=now)
    bad = Snapshot(slot=int(now), at=now, failing=failing(since=now - 5))

    good = fleet_rows.rows([prod, dev], {1: well, 2: bad})
    worse = fleet_rows.rows([prod, dev], {1: bad, 2: well})

    assert fleet_rows.sentence(good) == (
        "2 servers: 1 unreachable, 1 healthy. Production is healthy."
    )
    assert fleet_rows.sentence(worse).endswith("In production: prod.")
