"""The eviction page and the change of limit and policy, on real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import redis

from dashboard.accounts.roles import Role
from dashboard.audit.models import Entry
from dashboard.caching.eviction import settings, telling
from dashboard.caching.models import EvictionChange
from dashboard.servers.models import Grant, Server
from redisops.eviction import forecasts
from tests.dashboard.conftest import assert_valid_html
from tests.servers import REDIS, VALKEY, running

PAGE = "/servers/shop/caching/eviction/"
CHANGE = f"{PAGE}change/"


@pytest.fixture
def admin(viewer, server):
    Grant.objects.filter(user=viewer).update(role=Role.ADMIN)
    return viewer


@pytest.fixture
def keys(data: redis.Redis) -> Iterator[redis.Redis]:
    """400 carts, half of them with a TTL, and 100 users without."""
    with data.pipeline() as pipe:
        for number in range(400):
            pipe.set(f"cart:eu:{number}", b"x" * 300, ex=3600 + number if number % 2 else None)
        for number in range(100):
            pipe.set(f"user:{number}", b"y" * 50)
        pipe.execute()
    yield data
    data.config_set("maxmemory", 0)
    data.config_set("maxmemory-policy", "noeviction")


def text(response, status=200):
    assert response.status_code == status, response.content.decode()[:2000]
    assert_valid_html(response)
    return response.content.decode()


def _form(**changed):
    return {
        "policy": "allkeys-lru", "limit": "64 MiB", "seen_policy": "noeviction", "seen_limit": "0",
        "confirm": "Shop", "reason": "It is a cache", **changed,
    }  # fmt: skip


def test_the_page_says_what_each_policy_would_take(client_for, viewer, server, keys):
    page = text(client_for(viewer).get(PAGE))

    assert all(name in page for name in telling.TAKES)
    assert "200 of 500, exact" in page  # TTLs, by INFO
    assert "No limit is set" in page
    assert "only an LFU policy counts uses" in page
    assert "cart:eu:" in page
    assert "Change eviction" not in page  # a viewer may not


def test_lfu_forecasts_need_lfu_and_lru_ones_need_it_not(client_for, viewer, server, keys):
    keys.config_set("maxmemory-policy", "allkeys-lfu")

    page = text(client_for(viewer).get(f"{PAGE}?limit=2097152&range=6h"))

    assert "only an LFU policy counts uses" not in page
    assert "longest unread is not known" in page


def test_a_limit_that_is_no_size_is_named(client_for, viewer, server, keys):
    page = text(client_for(viewer).get(f"{PAGE}?limit=lots"))

    assert "such as 2 GiB" in page


def test_a_change_is_shown_confirmed_made_audited_and_rolled_back(client_for, admin, server, keys):
    browser = client_for(admin)
    asked = text(browser.get(f"{CHANGE}?policy=volatile-ttl&limit=64+MiB"))
    assert "What would change" in asked and "volatile-ttl" in asked
    assert keys.config_get("maxmemory")["maxmemory"] == "0"

    refused = text(browser.post(CHANGE, _form(confirm="shop")), 422)
    assert "The name is Shop" in refused
    stale = text(browser.post(CHANGE, _form(seen_policy="allkeys-lfu")), 409)
    assert "changed the settings meanwhile" in stale
    assert not EvictionChange.objects.exists()

    assert browser.post(CHANGE, _form(policy="volatile-ttl")).status_code == 302
    assert keys.config_get("maxmemory*")["maxmemory"] == str(64 * 1024**2)
    assert keys.config_get("maxmemory-policy")["maxmemory-policy"] == "volatile-ttl"
    row = EvictionChange.objects.get()
    assert (row.before, row.kept) == ({"maxmemory-policy": "noeviction", "maxmemory": "0"}, "")
    done = Entry.objects.get(action="caching.eviction", result="ok")
    assert done.after == row.after and done.reason == "It is a cache"

    page = text(browser.get(PAGE))
    assert "goes back to policy noeviction and limit none" in page
    back = f"{CHANGE}?back={row.pk}&policy=noeviction&limit=0"
    assert "Roll back eviction of Shop" in text(browser.get(back))
    form = _form(policy="noeviction", limit="0", seen_policy="volatile-ttl",
                 seen_limit=str(64 * 1024**2), back=row.pk, write="on")  # fmt: skip
    told = text(browser.post(CHANGE, form, follow=True))
    assert "a restart forgets it" not in told  # it goes back to the same
    newest = EvictionChange.objects.first()
    assert (newest.takes_back, newest.kept) == (row, "no file")
    assert keys.config_get("maxmemory")["maxmemory"] == "0"
    went = "policy from volatile-ttl to noeviction and limit from 64 MiB to none"
    assert f"Rolled back eviction of Shop: {went}." in told and "rolled back the change" in told
    rolled = Entry.objects.get(action="caching.eviction_back", result="ok")
    assert rolled.target == went and rolled.sentence == f"Rolled back what is evicted, {went}"
    assert rolled.after == row.before
    after = told.partition("After a restart</h2>")[2].partition("</section>")[0]
    assert "noeviction and limit none, which is what is set now" in after
    assert "Needs a look" not in after and "forgets" not in after


def test_a_limit_below_what_is_used_says_what_goes_at_once(client_for, admin, server, keys):
    for number in range(10):
        keys.set(f"big:{number}", b"z" * 500_000)
    page = text(client_for(admin).get(f"{CHANGE}?policy=allkeys-random&limit=3+MiB"))
    tiny = text(client_for(admin).get(f"{CHANGE}?policy=allkeys-random&limit=1+MiB"), 422)
    keys.config_set("maxmemory", 1_000_000)  # set by somebody else: it may stay
    text(client_for(admin).get(f"{CHANGE}?policy=volatile-lru"))

    assert "more than 2 MiB for itself" in tiny
    assert "are above that limit now" in page and "They go at once" in page


def test_production_asks_why(client_for, admin, server, keys):
    Server.objects.update(environment="production")

    page = text(client_for(admin).post(CHANGE, _form(reason="")), 422)

    assert "Say why: this is production." in page


def test_an_operator_may_not_change_and_the_try_is_audited(client_for, operator, server, keys):
    answer = client_for(operator).post(CHANGE, _form())

    assert answer.status_code == 403
    assert Entry.objects.filter(action="caching.eviction", result="refused").exists()


def test_a_narrow_user_reads_what_it_may_and_the_change_says_which_right_lacks(
    client_for, admin, server, keys, target
):
    keys.execute_command(
        "ACL", "SETUSER", "narrow", "on", ">secret", "~cart:*", "+info", "+randomkey", "+type",
        "+pttl", "+multi", "+discard", "+ping", "+hello", "+client",
    )  # fmt: skip
    server.username = "narrow"
    server.set_secret("password", "secret")
    server.save()
    browser = client_for(admin)

    page = text(browser.get(PAGE))
    assert "+config|get" in page and "+memory|usage" in page and "200 of 500, exact" in page
    change = text(browser.get(CHANGE))
    assert "cannot be changed from here" in change and "config|set" in change
    assert "+config|set +config|rewrite" in change
    made = text(browser.post(CHANGE, _form()), 503)
    assert "config|set" in made
    assert Entry.objects.filter(action="caching.eviction", result="failed").exists()
    assert not EvictionChange.objects.exists()
    server.nodes = "shop.abc.0001.euw1.cache.amazonaws.com:6379"
    from dashboard.caching.eviction import hosting

    assert "parameter group" in hosting.of(server).policy
    keys.execute_command("ACL", "DELUSER", "narrow")


def test_a_server_without_config_says_where_it_is_changed(client_for, admin, server):
    with running("--rename-command", "CONFIG", "", binary=REDIS or VALKEY) as other:
        server.nodes = f"127.0.0.1:{other.port}"
        server.save()
        browser = client_for(admin)
        page, change = text(browser.get(PAGE)), text(browser.get(CHANGE))
        made = text(browser.post(CHANGE, _form()), 503)
    for one in (page, change):
        assert "Shop has no CONFIG command" in one and "in its configuration file" in one
        assert "This console's user lacks" not in one and "ACL SETUSER" not in one
    assert "Change to it" not in page and "unknown command" in made


def test_the_consoles_own_redis_never_evicts(client_for, owner, home_process):
    from dashboard.servers.models import HOME

    Server.objects.get_or_create(slug=HOME, defaults={"name": "Home"})
    browser = client_for(owner)
    page = text(browser.get("/servers/home/caching/eviction/change/?policy=allkeys-lru"))
    assert "must not lose them" in page and 'value="allkeys-lru"' not in page
    assert "must not lose them" in text(browser.post(
        "/servers/home/caching/eviction/change/", _form(confirm="Home")), 422)  # fmt: skip
    told = text(browser.get("/servers/home/caching/eviction/"))
    assert told.count("must not lose them") == 1 and "Change to it" not in told


def test_more_than_all_keys_hold_is_not_enough_and_is_bounded_by_the_count(
    client_for, viewer, server, keys
):
    from dashboard.keys.survey import reading
    from tests.dashboard.caching.test_advice import count

    for number in range(8):
        keys.set(f"blob:{number}", b"z" * 400_000)
    keys.set("pad", b"z" * 3_000_000)
    browser = client_for(viewer)
    page = text(browser.get(f"{PAGE}?limit=1000"))
    assert "this would empty the server, and then writes fail" in page
    assert "All keys together hold about" in page
    count(server)
    try:
        page = text(browser.get(PAGE))
        held = re.search(r"hold about ([0-9.]+) MiB: as the last count", page)
        assert held and 5.9 < float(held[1]) < 6.6, page  # three large folders, whatever was drawn
    finally:
        reading.forget()


def test_a_file_that_was_written_keeps_it(client_for, admin, server, keys, tmp_path):
    from tests.servers import RedisProcess

    path = tmp_path / "valkey.conf"
    path.write_text("")

    class WithFile(RedisProcess):
        def command(self):
            return [super().command()[0], str(path), *super().command()[1:]]

    with WithFile() as other:
        Server.objects.update(nodes=f"127.0.0.1:{other.port}")
        answer = client_for(admin).post(CHANGE, _form(write="on"), follow=True)

        assert "a restart keeps it" in text(answer)
        assert "maxmemory-policy allkeys-lru" in path.read_text()
        assert "It is in the configuration file" in text(client_for(admin).get(PAGE))
        with other.client() as plain:
            plain.config_set("maxmemory-policy", "allkeys-lfu")
        assert "Somebody else has changed it" in text(client_for(admin).get(PAGE))
        client_for(admin).post(f"{PAGE}rewrite/")
        assert "maxmemory-policy allkeys-lfu" in path.read_text()


@pytest.mark.parametrize(
    ("typed", "value"),
    [("0", 0), ("2 GiB", 2 * 1024**3), ("512mb", 512 * 1024**2), ("104,857,600", 104_857_600)],
)
def test_sizes_are_read_as_people_write_them(typed, value):
    assert settings.read_size(typed) == value
    assert settings.read_size(settings.size_text(value)) == value


@pytest.mark.parametrize("typed", ["", "x", "-1", "9" * 30, "1e9", "NaN"])
def test_what_is_no_limit_is_refused(typed):
    with pytest.raises(ValueError, match=r"size|needs|more than"):
        settings.read_size(typed)


def test_every_forecast_becomes_a_sentence(server, data):
    from redisops.eviction import Eviction

    for rows in (0, 3):
        for number in range(rows):
            data.set(f"k{number}", "v")
        for goal in (None, 0, 10**12):
            standing = Eviction(server.client()).look()
            told = telling.rows(standing, forecasts(standing, goal=goal))
            assert len(told) == 8 and all(row.sentence for row in told)
