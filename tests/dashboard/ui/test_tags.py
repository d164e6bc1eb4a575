"""What templates draw: shapes with words, and names that cannot do anything."""

from __future__ import annotations

import datetime

import pytest
from django.template import Context, Template

from dashboard.ui import icons
from redisops import keys
from tests.dashboard.conftest import assert_valid_html


def drawn(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


HOSTILE = [
    b"<script>alert(1)</script>", b'" onmouseover="x', b"a:<b>:'c'", b"{{ 7|add:7 }}", b"\r\nX: y",
    b"\x00", b"\xff\xfe", "\u202egpj.exe".encode(), b"x" * 1_000_000, b"=cmd()", b":", b"a:", b"*",
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_name_is_only_text(key):
    html = drawn("{% key_name key %}", key=key)

    assert_valid_html(html)
    assert "<script" not in html and 'onmouseover="' not in html
    assert "\u202e" not in html and "\x00" not in html and "\r" not in html
    assert len(html) < 4000


def test_a_name_has_a_dim_prefix_and_a_strong_end():
    assert drawn("{% key_name key %}", key=b"sess:eu:9f31") == (
        '<bdi class="key">sess:eu:<b>9f31</b></bdi>'
    )


def test_an_empty_name_says_so():
    assert "(empty name)" in drawn("{% key_name key %}", key=b"")


def test_a_key_in_an_address_leads_back_to_the_key():
    key = b"a/b?c=\xff"

    assert keys.from_url(drawn("{{ key|key_url }}", key=key)) == key


@pytest.mark.parametrize(
    "kind",
    ["ok", "warn", "bad", "off", "run", "changing", "unreachable", "unknown", "flapping", "what"],
)
def test_a_state_has_a_shape_and_a_word(kind):
    html = drawn("{% state kind word %}", kind=kind, word="Late <b>")

    assert "<svg" in html and "Late &lt;b&gt;" in html
    assert_valid_html(html)


def test_a_state_without_a_word_is_still_named():
    assert "Unreachable</span>" in drawn('{% state "unreachable" "" %}')


def test_shapes_differ_where_colours_are_the_same():
    kinds = ["ok", "warn", "bad", "off", "run", "unreachable", "flapping"]
    shapes = {drawn("{% state kind '' %}", kind=kind).split("</svg>")[0][-90:] for kind in kinds}

    assert len(shapes) == len(kinds)


def test_an_icon_is_drawn_into_the_page():
    html = drawn('{% icon "search" %}')

    assert html.startswith('<svg class="i" viewBox="0 0 24 24" aria-hidden="true">')
    assert "stroke-width" not in html
    assert_valid_html(html)


def test_an_unknown_icon_is_an_error_that_says_where_to_look():
    with pytest.raises(ValueError, match=r"no icon .no-such-icon"):
        icons.shapes("no-such-icon")


@pytest.mark.parametrize("name", ["../../package", "A", "a b", ""])
def test_an_icon_is_never_another_file(name):
    with pytest.raises(ValueError):
        icons.shapes(name)


@pytest.mark.parametrize(
    ("share", "width", "label"),
    [(0.79, "79%", "79 percent"), (-1, "0%", "0 percent"), (7, "100%", "100 percent")],
)
def test_a_bar_stays_within_its_track(share, width, label):
    html = drawn("{% bar share %}", share=share)

    assert f'width="{width}"' in html and f'aria-label="{label}"' in html


def test_a_bar_of_an_unknown_share_is_empty():
    assert "<rect" not in drawn("{% bar share %}", share=None)


def test_a_spark_leaves_a_gap_where_nothing_is_known():
    html = drawn("{% spark values %}", values=[1, 2, None, 3, 4])

    assert html.count("M") == 2
    assert_valid_html(html)


@pytest.mark.parametrize("values", [[], [1], [None, None], [5, 5, 5]])
def test_a_spark_needs_no_spread(values):
    assert_valid_html(drawn("{% spark values %}", values=values))


def test_a_time_is_exact_on_hover():
    at = datetime.datetime(2025, 11, 22, 1, 31, 7, tzinfo=datetime.UTC)

    html = drawn("{% when at 'age' %}", at=at)

    assert 'datetime="2025-11-22T01:31:07Z"' in html
    assert "22 Nov 2025 01:31:07 UTC" in html
    assert " ago</time>" in html


def test_a_time_that_is_not_known_is_a_dash():
    assert drawn("{% when at %}", at=None) == "—"


def test_production_is_marked_in_words():
    assert "Production" in drawn('{% environment "production" %}')
    assert drawn('{% environment "none" %}') == ""


def test_marked_words_stay_text():
    html = drawn("{{ text|marked:query }}", text="<b>orders</b> placed", query="ord pl <b>")

    assert "<mark>ord</mark>ers" in html and "<mark>pl</mark>aced" in html
    assert "<b>" not in html
