"""Counting keys in the background: the job, the tree that it feeds, and who may start it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import Client
from django.utils import timezone

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.jobs import Busy
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.survey import kind, passes, reading
from dashboard.keys.survey.models import Pass
from dashboard.servers.models import Server
from redisops.survey import standing, walking
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import LIST, text_of
from tests.hostile import NAMES
from tests.servers import RedisProcess, replica_of

VISIT = "/servers/shop/analysis/visit/"
COUNT = "/servers/shop/analysis/count/"
GROWING = "/servers/shop/analysis/tree/"
TREE = {"HX-Request": "true", "HX-Target": "tree"}


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    reading.forget()
    yield
    reading.forget()


@pytest.fixture
def one_scan_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps so short that each is one SCAN of few keys, and kept every time."""
    monkeypatch.setattr(kind, "STEP", 0.0001)
    monkeypatch.setattr(kind, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(standing, "FIRST", 10)
    monkeypatch.setattr(walking, "LARGEST", 10)


def shown(page: str) -> dict[str, str]:
    """The count beside each line of the tree."""
    tree = page[page.index('id="tree"') :]
    lines = re.findall(r'<span class="cut">(.*?)</span><span class="n[^>]*>([^<]+)<', tree)
    return {re.sub("<.*?>", "", name): figure for name, figure in lines}


def counted(server: Server) -> Pass:
    """A pass from start to end."""
    made = passes.begin("tests", server)
    assert made.job is not None
    assert run(made.job).state == Job.State.DONE
    made.refresh_from_db()
    return made


def test_the_tree_asks_for_a_pass_and_shows_its_counts(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.mset({f"cart:eu:{n}": n for n in range(30)} | {"cart:us:1": 1, "plain": 1})
    first = text_of(visitor.get(LIST))
    assert 'hx-post="/servers/shop/analysis/visit/' in first
    assert not Pass.objects.exists()

    growing = text_of(visitor.post(VISIT, headers=TREE))
    made = Pass.objects.get()
    run(made.job)
    page = visitor.get(LIST, {"prefix": "cart:"})

    assert "Counting all names" in growing
    assert shown(text_of(page)) == {"cart:": "31", "eu:": "30", "us:": "1"}
    assert "Every name was counted" in text_of(page)
    assert "hx-post" not in text_of(page)[text_of(page).index('id="tree"') :].partition("</nav>")[0]
    assert shown(text_of(visitor.get(LIST)))["(no folder)"] == "1"
    assert_valid_html(page)


def test_a_tree_that_was_counted_costs_no_scan(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.mset({f"cart:{n}": n for n in range(5000)})
    counted(server)
    data.config_resetstat()

    visitor.get(LIST, {"count": 10})

    assert data.info("commandstats")["cmdstat_scan"]["calls"] == 1


def test_the_tree_grows_while_it_is_counted(
    visitor: Client, server: Server, data: redis.Redis, one_scan_a_step: None
) -> None:
    data.mset({f"cart:{n}": n for n in range(200)})
    made = passes.begin("tests", server)
    run(made.job, steps=3)

    page = visitor.get(LIST)
    growing = visitor.get(GROWING, headers=TREE)

    assert "Counted so far: " in text_of(page)
    assert 0 < int(shown(text_of(page))["cart:"]) < 200
    assert shown(text_of(growing)) == shown(text_of(page))
    assert_valid_html(growing)
    run(made.job)
    assert shown(text_of(visitor.get(LIST)))["cart:"] == "200"


def test_a_pass_goes_on_in_another_process(
    server: Server, data: redis.Redis, one_scan_a_step: None
) -> None:
    data.mset({f"cart:{n % 7}:{n}": "x" * n for n in range(300)})
    whole = counted(server)
    made = passes.begin("tests", server)
    run(made.job, steps=4)
    kind_now = made.job.work
    assert isinstance(kind_now, kind.CountKeys)
    kind_now._held = None  # as in a process that never had it

    job = run(made.job)

    made.refresh_from_db()
    one, other = (reading.document(each)[0] for each in (whole, made))
    assert (job.done, made.counted) == (300, 300)
    assert [(f.name, f.keys) for f in one.children(b"cart:")] == [
        (f.name, f.keys) for f in other.children(b"cart:")
    ]
    assert one.root.bytes == other.root.bytes
    assert "Going on from" in "".join(line.text for line in job.lines.all())


def test_a_lost_lease_leaves_the_kept_walk_alone(
    server: Server, data: redis.Redis, one_scan_a_step: None
) -> None:
    """What this process holds is only used if the job's checkpoint says that it is the newest."""
    data.mset({f"cart:{n}": n for n in range(100)})
    made = passes.begin("tests", server)
    run(made.job, steps=3)
    Job.objects.filter(pk=made.job.pk).update(checkpoint={"turn": 99})

    run(made.job)

    made.refresh_from_db()
    assert made.counted == 100


def test_only_one_pass_at_a_time(server: Server) -> None:
    passes.begin("tests", server)

    with pytest.raises(Busy):
        passes.begin("tests", server)

    assert Pass.objects.count() == 1


def test_a_cancelled_pass_is_not_begun_again_by_a_visit(
    operator: User, client_for: Callable[..., Client], server: Server, data: redis.Redis,
    one_scan_a_step: None,
) -> None:  # fmt: skip
    data.mset({f"cart:{n}": n for n in range(100)})
    made = passes.begin("tests", server)
    run(made.job, steps=2)
    Job.objects.filter(pk=made.job.pk).update(wanted="cancel", wanted_by="anna")
    assert run(made.job).state == Job.State.CANCELLED
    browser = client_for(operator)

    browser.post(VISIT, headers=TREE)
    page = text_of(browser.get(LIST))

    assert Pass.objects.count() == 1
    assert "the count came to no end" in page
    assert "analysis/visit" not in page


@pytest.mark.parametrize(("age", "begun"), [(60, 1), (7200, 2)])
def test_an_old_pass_is_followed_by_another(
    visitor: Client, server: Server, data: redis.Redis, age: int, begun: int
) -> None:
    made = counted(server)
    Pass.objects.filter(pk=made.pk).update(ended=timezone.now() - datetime.timedelta(seconds=age))

    visitor.post(VISIT)

    assert Pass.objects.count() == begun


def test_beat_counts_again_what_was_counted_once(server: Server, data: redis.Redis) -> None:
    assert passes.begin_due() == 0
    made = counted(server)
    Pass.objects.filter(pk=made.pk).update(ended=timezone.now() - datetime.timedelta(days=2))

    assert passes.begin_due() == 1
    assert passes.begin_due() == 0


def test_passes_are_thinned(server: Server) -> None:
    now = timezone.now()
    for hour in reversed(range(100)):
        Pass.objects.create(server=server, address="x", ended=now - datetime.timedelta(hours=hour))

    passes.thin(server)

    kept = Pass.objects.order_by("-ended").values_list("ended", flat=True)
    assert [now - one for one in kept[: passes.ALL_OF]] == [
        datetime.timedelta(hours=hour) for hour in range(passes.ALL_OF)
    ]
    older = [one.date() for one in kept[passes.ALL_OF :]]
    assert older and len(set(older)) == len(older)


def test_counting_again_is_written_down(
    operator: User, client_for: Callable[..., Client], server: Server
) -> None:
    answer = client_for(operator).post(COUNT, {"next": LIST})

    assert answer.headers["Location"] == LIST
    entry = Entry.objects.filter(action="keys.survey").get()
    assert (entry.server, entry.result) == ("shop", "intent")
    for elsewhere in ("https://evil.example/", "//evil.example/", "nowhere"):
        answer = client_for(operator).post(COUNT, {"next": elsewhere})
        assert answer.headers["Location"].startswith("/servers/shop/"), elsewhere


def test_a_stranger_sees_nothing_and_starts_nothing(
    stranger: User, client_for: Callable[..., Client], server: Server
) -> None:
    browser = client_for(stranger)

    for path in (VISIT, COUNT):
        assert browser.post(path).status_code == 404
    for path in (GROWING, "/servers/shop/analysis/"):
        assert browser.get(path).status_code == 404
    assert not Pass.objects.exists()


def test_hostile_names_are_counted_and_shown(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    for name in NAMES:
        data.set(b"a:" + name, 1)
    counted(server)

    page = visitor.get(LIST, {"prefix": "a:"})
    analysis = visitor.get("/servers/shop/analysis/", {"prefix": "a:"})

    assert shown(text_of(visitor.get(LIST)))["a:"] == f"{data.dbsize():,}"
    assert_valid_html(page)
    assert_valid_html(analysis)
    assert "<script>alert" not in text_of(analysis)


def test_folders_that_were_put_together_are_read_live(
    visitor: Client, server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "FOLDERS", 10)
    monkeypatch.setattr(walking.Survey.__init__, "__kwdefaults__", {
        **walking.Survey.__init__.__kwdefaults__, "limit": 10,
    })  # fmt: skip
    data.mset({f"user:{n}:name": n for n in range(60)} | {f"cart:{n}": n for n in range(40)})
    counted(server)

    page = text_of(visitor.get(LIST, {"prefix": "user:"}))
    inside = text_of(visitor.get(LIST, {"prefix": "user:59:"}))

    lines = shown(page)
    assert lines["cart:"] == "40"
    assert lines["user:"] == "60"
    assert int(lines["(other folders)"]) > 40
    assert lines["59:"] in ("1 seen", "1", "1+")
    assert shown(inside)["59:"] == "1"


def test_a_stopped_server_pauses_the_pass(
    server: Server, data: redis.Redis, one_scan_a_step: None
) -> None:
    data.mset({f"cart:{n}": n for n in range(100)})
    made = passes.begin("tests", server)
    run(made.job, steps=2)
    Server.objects.filter(pk=server.pk).update(stopped_at=timezone.now(), stopped_by="anna")

    waiting = run(made.job)
    Server.objects.filter(pk=server.pk).update(stopped_at=None)
    Job.objects.filter(pk=made.job.pk).update(due=None)
    job = run(made.job)

    assert waiting.state != Job.State.DONE
    assert (job.state, job.done) == (Job.State.DONE, 100)


def test_a_server_that_goes_away_is_waited_for(
    server: Server, target: RedisProcess, data: redis.Redis, one_scan_a_step: None
) -> None:
    data.mset({f"cart:{n}": n for n in range(100)})
    made = passes.begin("tests", server)
    run(made.job, steps=3)
    data.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    job = run(made.job)
    for _ in range(5):
        if job.state == Job.State.DONE:
            break
        Job.objects.filter(pk=made.job.pk).update(due=None)
        job = run(made.job)

    assert (job.state, job.done) == (Job.State.DONE, 100)


@pytest.fixture
def replicated(owner: User) -> Iterator[tuple[Server, RedisProcess, RedisProcess]]:
    """A server of the console with 300 keys, its process and its replica."""
    with RedisProcess() as primary, replica_of(primary) as replica, primary.client() as plain:
        plain.mset({f"cart:{n}": n for n in range(300)})
        plain.wait(1, 5000)
        row = Server.objects.create(name="Pair", slug="pair", nodes=f"127.0.0.1:{primary.port}")
        yield row, primary, replica


def test_every_page_says_on_which_replica_it_was_counted(
    owner: User,
    client_for: Callable[..., Client],
    replicated: tuple[Server, RedisProcess, RedisProcess],
) -> None:
    server, _, replica = replicated
    where = f"on replica 127.0.0.1:{replica.port}"

    made = counted(server)
    visitor = client_for(owner)

    assert f"Every name was counted {where}, " in text_of(visitor.get("/servers/pair/keys/"))
    assert where in text_of(visitor.get("/servers/pair/analysis/"))
    assert made.job is not None
    assert f"Counting {where}." in text_of(visitor.get(made.job.get_absolute_url()))


def test_a_replica_that_cannot_be_reached_or_is_lost_is_told(
    owner: User,
    client_for: Callable[..., Client],
    replicated: tuple[Server, RedisProcess, RedisProcess],
    one_scan_a_step: None,
) -> None:
    server, _, replica = replicated
    name = f"127.0.0.1:{replica.port}"
    made = passes.begin("tests", server)
    run(made.job, steps=5)
    replica.kill()
    assert run(made.job).state == Job.State.DONE

    page = text_of(client_for(owner).get("/servers/pair/analysis/"))
    made.refresh_from_db()

    assert made.counted == 300
    assert f"Replica {name} was left on the way" in page
    assert "on the primary" in page
    assert_valid_html(client_for(owner).get("/servers/pair/analysis/"))


def test_a_small_map_of_the_memory_leads_to_the_folders(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.mset({f"cart:{n}": "x" * 900 for n in range(6)} | {"sess:<b>1:1": "x" * 2000, "a": "b"})
    assert "Memory by folder" not in text_of(visitor.get(LIST))
    counted(server)

    page = text_of(visitor.get(LIST, {"prefix": "sess:"}))

    drawn = page[page.index("Memory by folder") : page.index("</svg>", page.index("<svg role"))]
    assert re.findall(r"<title>(\S+) \S+ \S+, \d+%, (\d+) keys", drawn) == [
        ("cart:", "6"),
        ("sess:", "1"),
    ]
    assert 'hx-get="/servers/shop/keys/?prefix=cart%3A&amp;view=tree"' in drawn
    assert_valid_html(visitor.get(LIST))
