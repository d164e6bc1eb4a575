"""One key: every type shown, in pages, decoded, and never more than it may."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.servers.models import Server
from tests import hostile
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import LIST, SAMPLES, VALUE, cost_of, key_path, text_of
from tests.servers import RedisProcess


def links(page: str, words: str) -> list[str]:
    found = re.findall(rf'<a[^>]*href="([^"]*)"[^>]*>(?:<svg.*?</svg>)?{words}</a>', page)
    return [url.replace("&amp;", "&") for url in found]


@pytest.mark.parametrize("key", SAMPLES)
def test_every_type_is_shown(visitor: Client, filled: redis.Redis, key: bytes) -> None:
    response = visitor.get(key_path(key))

    assert response.status_code == 200
    assert_valid_html(response)
    assert cost_of(response).round_trips == 2
    kind = "string" if key == b"uniques" else SAMPLES[key]
    assert f'<span class="type">{kind.upper()}</span>' in text_of(response)


@pytest.mark.parametrize("key", SAMPLES)
def test_htmx_gets_the_value_alone(visitor: Client, filled: redis.Redis, key: bytes) -> None:
    response = visitor.get(key_path(key, "?view=tree&prefix=x:"), headers=VALUE)

    page = text_of(response)
    assert_valid_html(response)
    assert "<html" not in page
    assert 'id="tree"' not in page
    assert 'id="cost" hx-swap-oob' in page
    assert cost_of(response).round_trips == 2


def test_the_list_stands_beside_when_the_address_has_one(
    visitor: Client, filled: redis.Redis
) -> None:
    page = text_of(visitor.get(key_path(b"sess:eu:1", "?view=flat&match=*:*")))

    assert "board:<b>week</b>" in page
    assert 'aria-selected="true"' in page
    assert 'id="find"' not in text_of(visitor.get(key_path(b"sess:eu:1")))


def test_values_are_escaped(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"greeting")))

    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page
    assert "<b>you</b>" not in page


def test_a_field_is_decoded_and_opened_in_full(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"sess:eu:1")))
    assert "9007199254740993" in page
    assert "zlib, then JSON" in page
    assert '1795398431</bdi> <span class="c">= ' in page

    for element in "012":
        opened = text_of(visitor.get(key_path(b"sess:eu:1", f"?element={element}")))
        if "Auto found: zlib → JSON" in opened:
            break
    else:
        pytest.fail("no element was decoded in full")

    assert '<span class="k">&quot;sku&quot;</span>' in opened
    assert '<span class="m">9007199254740993</span>' in opened


def test_a_decoder_can_be_chosen_by_hand(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"greeting", "?decode=hex")))
    assert "48 65 6c 6c 6f" in page

    wrong = text_of(visitor.get(key_path(b"greeting", "?decode=msgpack")))
    assert "This is not MessagePack" in wrong


def test_a_pickle_is_listed_and_never_loaded(visitor: Client, data: redis.Redis) -> None:
    data.set("danger", hostile.PICKLE)

    page = text_of(visitor.get(key_path(b"danger")))

    assert "Listed, not loaded" in page
    assert "io.open" in page
    assert not Path(hostile.CANARY).exists()


def test_a_long_string_is_read_in_windows(visitor: Client, data: redis.Redis) -> None:
    data.set("long", b"".join(b"%07d\n" % n for n in range(30_000)))
    first = text_of(visitor.get(key_path(b"long")))
    assert "Bytes <b>0</b> to <b>65,535</b> of 240,000" in first

    [following] = links(first, "Next")
    second = text_of(visitor.get(following))

    assert "Bytes <b>65,536</b> to" in second
    assert "0008192" in second
    assert links(second, "From the start") == [key_path(b"long")]


def test_a_whole_document_can_be_read_at_once(visitor: Client, data: redis.Redis) -> None:
    data.set("doc", b'{"a":["' + b"x" * 100_000 + b'"]}')

    page = text_of(visitor.get(key_path(b"doc")))
    [wider] = links(page, "Read up to 1 MiB of it")
    whole = text_of(visitor.get(wider))

    assert "Auto found: JSON" in whole


def test_a_list_is_paged_from_both_ends(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"queue:mail")))
    assert "mail 0<" in page and "mail 99<" in page and "mail 100<" not in page
    [following] = links(page, "Next")
    assert "mail 100<" in text_of(visitor.get(following))

    tail = text_of(visitor.get(key_path(b"queue:mail", "?order=tail")))

    assert "mail 249<" in tail and "mail 0<" not in tail


def test_a_sorted_set_by_rank_score_and_member(visitor: Client, filled: redis.Redis) -> None:
    highest = text_of(visitor.get(key_path(b"board:week", "?order=desc")))
    assert "player 299<" in highest and "player 0<" not in highest

    between = text_of(visitor.get(key_path(b"board:week", "?min=100&max=(130")))
    assert "<b>3</b> of 300 members lie between" in between
    assert "player 12<" in between and "player 13<" not in between

    found = text_of(visitor.get(key_path(b"board:week", "?member=player 250")))
    assert "has rank <b>250</b>" in found
    assert "player 250<" in found

    assert "is not a member" in text_of(visitor.get(key_path(b"board:week", "?member=nobody")))


def test_places_are_drawn_and_searched(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"geo:shops", "?show=geo")))
    assert '<svg class="geo"' in page
    assert "59.9" in page

    query = "?show=geo&longitude=10.7&latitude=59.9&radius=20000"
    near = text_of(visitor.get(key_path(b"geo:shops", query)))

    assert "Oslo<" in near and "Bergen<" not in near
    assert "<ellipse" in near


def test_fields_and_members_are_filtered(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"sess:eu:1", "?filter=us*")))
    assert "48213" in page and "1795398431" not in page

    members = text_of(visitor.get(key_path(b"tags", "?filter=gr*")))
    assert "green" in members and ">red<" not in members


def test_a_stream_is_not_said_to_be_stored_as_a_stream(
    visitor: Client, filled: redis.Redis
) -> None:
    assert "stored as" not in text_of(visitor.get(key_path(b"stream:orders")))
    assert "stored as" in text_of(visitor.get(key_path(b"queue:mail")))


def test_a_range_of_ids_has_labels(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"stream:orders", "?start=1700000000001")))

    assert '<label for="id_start">From</label>' in page
    assert '<label for="id_end">To</label>' in page
    assert 'id="id_start" name="start" value="1700000000001"' in page


def test_a_stream_with_groups_and_pending(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"stream:orders")))
    assert "1700000000002-0" in page
    assert ">billing<" in page

    response = visitor.get(key_path(b"stream:orders", "?group=billing"))
    opened = text_of(response)

    assert_valid_html(response)
    assert "worker-1" in opened
    assert "<b>2</b> delivered and not acknowledged" in opened

    ranged = text_of(visitor.get(key_path(b"stream:orders", "?start=1700000000001&order=asc")))
    assert "1700000000001-0" in ranged and 'class="id">1700000000000-0' not in ranged


def test_a_hyperloglog_says_about_how_many(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(key_path(b"uniques")))

    found = re.search(r"about ([\d,]+)</p>", page)
    assert found and 950 < int(found[1].replace(",", "")) < 1050
    assert "0.81%" in page


def test_bits_are_drawn(visitor: Client, data: redis.Redis) -> None:
    data.setbit("seen", 3, 1)
    data.setbit("seen", 70, 1)

    page = text_of(visitor.get(key_path(b"seen", "?show=bits")))

    assert '<rect x="3" y="0" width="1" height="1"/>' in page
    assert '<rect x="6" y="1" width="1" height="1"/>' in page
    assert "<b>2</b> in the whole value" in page


def test_hash_fields_show_their_own_expiry_only_where_they_have_one(
    visitor: Client, filled: redis.Redis
) -> None:
    assert "Expires</th>" not in text_of(visitor.get(key_path(b"sess:eu:1"), headers=VALUE))


def test_a_vanished_key_is_a_designed_404(visitor: Client, filled: redis.Redis) -> None:
    response = visitor.get(key_path(b"was:here"))
    fragment = visitor.get(key_path(b"was:here", "?view=tree"), headers=VALUE)

    assert response.status_code == fragment.status_code == 404
    assert "There is no such key now" in text_of(fragment)
    assert_valid_html(response)
    assert links(text_of(response), "Its folder")


def test_keys_of_the_console_are_named_and_not_shown(visitor: Client, data: redis.Redis) -> None:
    data.set("redisops:console:session:1", "a person's secret")

    page = text_of(visitor.get(key_path(b"redisops:console:session:1")))
    names = text_of(visitor.get(LIST, {"view": "flat"}))
    opened = text_of(visitor.get(LIST, {"match": "redisops:console:session:1"}))

    assert "session:<b>1</b>" in names
    for shown in (page, names, opened):
        assert "secret</" not in shown
        assert "a person" not in shown
    assert "This value is not shown" in page


@pytest.mark.parametrize(
    "query",
    ["?decode=yaml", "?element=-1", "?element=x", "?rows=99999", "?order=sideways", "?at=zzz",
     "?window=1", "?longitude=999&latitude=0&radius=1", "?show=everything", "?count=1"],
)  # fmt: skip
def test_an_address_that_breaks_a_rule_is_refused(
    visitor: Client, filled: redis.Redis, query: str
) -> None:
    assert visitor.get(key_path(b"board:week", query)).status_code == 400


def test_what_is_no_key_in_an_address_is_404(visitor: Client) -> None:
    for segment in ("a", "A=", "!!", "AB-CD*"):
        assert visitor.get(f"{LIST}{segment}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_only_reading_is_answered(visitor: Client, method: str) -> None:
    assert getattr(visitor, method)(key_path(b"greeting")).status_code == 405


def test_a_stranger_finds_nothing(
    stranger: User, filled: redis.Redis, server: Server, client_for: Callable[..., Client]
) -> None:
    assert client_for(stranger).get(key_path(b"greeting")).status_code == 404


def test_a_server_that_is_down_gives_the_designed_page(
    owner: User, client_for: Callable[..., Client]
) -> None:
    with RedisProcess() as process:
        Server.objects.create(name="Gone", slug="gone", nodes=f"127.0.0.1:{process.port}")
    url = key_path(b"greeting").replace("/shop/", "/gone/")

    response = client_for(owner).get(url)

    assert response.status_code == 503
    assert client_for(owner).get(url, headers=VALUE).status_code == 503


def test_a_value_full_of_bombs_is_shown_in_time(visitor: Client, data: redis.Redis) -> None:
    import time

    data.rpush("bombs", *hostile.VALUES)
    start = time.thread_time()

    response = visitor.get(key_path(b"bombs", "?rows=200"))

    assert response.status_code == 200
    assert time.thread_time() - start < 3
    assert not Path(hostile.CANARY).exists()
