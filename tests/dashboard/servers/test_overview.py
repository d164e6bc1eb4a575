"""One server at a glance: as a page, as data for its plots, and when things are not as usual."""

import json
import re

import pytest

from dashboard.audit import record
from dashboard.servers.models import Server
from dashboard.servers.overview import charts
from dashboard.servers.overview import figures as overview
from dashboard.servers.sampling import sampler, samples
from dashboard.servers.sampling.samples import Snapshot
from redisops.series import Row
from tests.dashboard.conftest import assert_valid_html
from tests.servers import free_port

pytestmark = pytest.mark.django_db
PAGE = "/servers/shop/"


@pytest.fixture
def sampled(server, data):
    """The server after three looks at some traffic."""
    slot = samples.slot()
    for at in (slot - 20, slot - 12, slot - 4, slot):
        data.set("a", at)
        data.get("a")
        data.get("absent")
        sampler.sample([server], at)
    return server


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize("person", ["owner", "operator", "viewer"])
def test_whoever_has_a_role_sees_it(client_for, sampled, request, person):
    page = client_for(request.getfixturevalue(person)).get(PAGE)

    assert page.status_code == 200
    assert_valid_html(page)
    assert "Healthy" in text(page)


def test_a_stranger_and_nobody_do_not(client_for, server, stranger):
    assert client_for(stranger).get(PAGE).status_code == 404
    assert client_for(stranger).get(f"{PAGE}series/").status_code == 404
    assert client_for(None).get(PAGE).status_code == 302


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}series/", "/"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_but_reading(client_for, owner, server, path, method):
    assert getattr(client_for(owner), method)(path).status_code == 405


def test_figures_are_in_the_page_without_a_script(client_for, viewer, sampled):
    page = text(client_for(viewer).get(PAGE))

    for words in ("Commands/s", "p99 latency", "no limit set", "50 %", "0 blocked, 0 rejected"):
        assert words in page
    assert "Reads:" in page  # the plots in words
    assert "SET" in page
    assert "db0" in page


def test_it_costs_the_server_one_command(client_for, viewer, sampled):
    page = text(client_for(viewer).get(PAGE))

    assert re.search(r"This page cost the server .*\b\d+ commands?", page)


@pytest.mark.parametrize("span", list(charts.SPANS))
def test_every_range_is_a_link_and_marked(client_for, viewer, sampled, span):
    page = client_for(viewer).get(PAGE, {"range": span})

    assert_valid_html(page)
    assert f'href="?range={span}" aria-current="true"' in page.content.decode()


@pytest.mark.parametrize("span", ["", "1y", "-1", "<script>", "15m\x00"])
def test_an_unknown_range_is_the_usual_one(client_for, viewer, sampled, span):
    page = client_for(viewer).get(PAGE, {"range": span})

    assert 'href="?range=15m" aria-current="true"' in page.content.decode()


def test_the_series_are_columns_over_a_whole_grid(client_for, viewer, sampled):
    found = client_for(viewer).get(f"{PAGE}series/", {"range": "15m"}).json()

    assert len(found["times"]) == 450
    assert set(map(len, found["columns"].values())) == {450}
    assert sum(1 for value in found["columns"]["memory"] if value) == 4
    assert found["columns"]["limit"][-1] is None
    assert found["newest"] in found["times"]
    assert "no-store" in client_for(viewer).get(f"{PAGE}series/")["Cache-Control"]


def test_a_server_that_does_not_answer_keeps_its_frame(client_for, owner):
    dead = Server.objects.create(name="Dead", slug="dead", nodes=f"127.0.0.1:{free_port()}")
    sampler.sample([dead])

    page = client_for(owner).get("/servers/dead/")

    assert page.status_code == 200
    assert_valid_html(page)
    words = text(page)
    assert "Unreachable" in words
    assert "What to try" in words
    assert "Connection refused" in words
    assert "cost the server nothing" in words


def test_what_was_known_is_shown_as_of_then(client_for, viewer, sampled, target):
    sampled.nodes = f"127.0.0.1:{free_port()}"
    sampled.save()
    sampler.sample([sampled], samples.slot() + 2)

    page = client_for(viewer).get(PAGE)

    assert_valid_html(page)
    assert "as of" in text(page)
    assert "Unreachable" in text(page)


def test_without_a_sampler_the_page_says_so(client_for, viewer, server, monkeypatch):
    monkeypatch.setattr(sampler, "STARTING", 0.0)
    page = client_for(viewer).get(PAGE)

    assert "The sampler is not running" in text(page)
    assert "Healthy" in text(page)


def test_a_server_that_was_just_added_says_when_it_is_looked_at(client_for, owner, target):
    Server.objects.create(name="New", slug="new", nodes=f"127.0.0.1:{target.port}")

    page = client_for(owner).get("/servers/new/")

    assert_valid_html(page)
    assert "first look within 2 s" in text(page)
    assert "The sampler is not running" not in text(page)


def test_without_home_the_page_looks_itself_and_says_so(client_for, viewer, sampled, home_process):
    browser = client_for(viewer)
    home_process.kill()
    try:
        page = browser.get(PAGE)
        found = browser.get(f"{PAGE}series/")
    finally:
        home_process.start()

    assert page.status_code == 200
    assert_valid_html(page)
    assert "own Redis does not answer" in text(page)
    assert "Healthy" in text(page)
    assert found.json()["missing"]


def test_a_change_by_a_person_is_an_event_and_a_mark(client_for, owner, sampled):
    record("owner", "servers.update", server="shop", target="Shop")

    page = client_for(owner).get(PAGE)
    marks = client_for(owner).get(f"{PAGE}series/").json()["marks"]

    assert "Changed the settings of Shop by owner" in text(page)
    assert "settings" in [mark["word"] for mark in marks]


def test_the_slow_log_shows_nothing_of_the_consoles_own(client_for, owner, server, data):
    data.slowlog_reset()
    data.config_set("slowlog-log-slower-than", 0)
    data.set("redisops:console:session:x", "secret-value")
    data.set("shop:1", "visible")
    server.client().get("asked-by-the-console")
    data.config_set("slowlog-log-slower-than", 10_000)

    page = client_for(owner).get(PAGE).content.decode()

    data.slowlog_reset()
    assert "secret-value" not in page and "SET shop:1 visible" in page
    assert "asked-by-the-console" not in page


def test_hostile_names_are_shown_and_do_nothing(client_for, owner, server, data):
    data.config_set("slowlog-log-slower-than", 0)
    data.set('<script>alert(1)</script>"{{7*7}}', "\x00\xff\u202e")
    data.config_set("slowlog-log-slower-than", 10_000)

    page = client_for(owner).get(PAGE)

    data.slowlog_reset()
    assert_valid_html(page)
    assert "<script>alert" not in page.content.decode()


def test_the_parts_of_a_socket_are_those_of_the_page(server):
    parts = overview.parts(server, Snapshot())

    assert list(parts) == list(overview.PARTS)
    for part in parts.values():
        assert_valid_html(part)
    json.dumps(parts)


def test_little_memory_is_not_called_none():
    known = Snapshot(figures={"memory": 1000.0, "limit": 1e6})

    memory = next(one for one in overview.figures(known) if one.label == "Memory")

    assert memory.sense == "under 1%"


@pytest.mark.parametrize(
    ("kept", "risk"),
    [
        ({"rdb_saves": 0, "rdb_changes_since_last_save": 0}, "nothing: no change since it started"),
        ({"rdb_saves": 0, "rdb_changes_since_last_save": 7}, "7 changes since it started"),
        ({"rdb_saves": 2, "rdb_changes_since_last_save": 1}, "1 change since the save"),
        ({"rdb_saves": 2, "rdb_changes_since_last_save": 0}, "nothing: no change since the save"),
        ({"rdb_saves": 2}, "not known"),
        ({"aof_enabled": True}, "at most about 1 s of writes"),
    ],
)
def test_what_a_restart_would_cost_is_told_in_words(kept, risk):
    assert overview.durability(Snapshot(persistence=kept), 0)["risk"] == risk


# --- Drawings -----------------------------------------------------------------------------


def row(at, **figures):
    return Row(at, 1, 0, tuple(figures.get(name) for name in samples.FIELDS))


def test_a_gap_stays_a_gap_in_the_line():
    rows = [row(1000, clients=1), row(1002, clients=2), row(1008, clients=3), row(1010, clients=3)]
    drawing = next(
        one
        for one in charts.drawings(rows, charts.Span("x", "x", 12, 2), 1011)
        if one.plot.name == "clients"
    )

    assert drawing.columns["clients"] == [1, 2, None, None, 3, 3]
    assert drawing.paths[0][1].count("M") == 2


def test_a_plot_is_told_in_words():
    rows = [row(1000 + 2 * n, reads=n * 10, writes=5) for n in range(6)]
    drawing = charts.drawings(rows, charts.Span("x", "x", 12, 2), 1011)[0]

    assert drawing.summary == ("Reads: 50 last, 25 on average, 0 to 50. Writes: 5 all the time.")
    assert len(drawing.table) == 6


def test_one_point_is_not_called_all_the_time():
    drawing = charts.drawings([row(1000, reads=5)], charts.Span("x", "x", 12, 2), 1011)[0]

    assert drawing.summary == "Reads: 5, known once. Writes: not known."
    assert "H" in drawing.paths[0][1]  # a point without a neighbour is a short line, so it is seen


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (1.2, 2), (41200, 50000), (0.07, 0.1)])
def test_axes_end_at_round_numbers(value, top):
    assert charts.nice(value) == pytest.approx(top)
