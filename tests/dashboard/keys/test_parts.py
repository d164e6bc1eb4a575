"""The parts below the pages: what stays in an address, what a line shows, what is drawn."""

from __future__ import annotations

import html
import resource
from collections.abc import Callable

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from dashboard.keys.browsing import cells
from dashboard.keys.browsing.plots import Bitmap, Map
from dashboard.keys.browsing.room import roomy
from dashboard.keys.browsing.showing import PAGE_SECONDS, Screen, tokens
from dashboard.keys.browsing.state import BadAddress, Browse
from dashboard.keys.templatetags import keys as tags
from redisops.values.pages import Bits, Piece
from tests import hostile


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_any_state_comes_back_from_its_own_address(match: bytes, prefix: bytes) -> None:
    state = Browse("shop", match=match or None, type="hash", sort="-ttl", view="flat", count=50)
    again = Browse.of("shop", QueryDict(state.query()))
    assert (again.match, again.type, again.sort, again.count) == (match or None, "hash", "-ttl", 50)

    folder = Browse("shop", prefix=prefix)
    assert Browse.of("shop", QueryDict(folder.query())).prefix == prefix


def test_an_edited_pattern_leaves_the_folder() -> None:
    kept = Browse.of("shop", QueryDict("prefix=a:&match=a:*"))
    left = Browse.of("shop", QueryDict("prefix=a:&match=b*"))

    assert (kept.prefix, kept.match) == (b"a:", None)
    assert (left.prefix, left.match) == (b"", b"b*")


def test_a_bad_address_says_which_part() -> None:
    with pytest.raises(BadAddress, match="count"):
        Browse.of("shop", QueryDict("count=1000000"))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"42", '<bdi class="m">42</bdi>'),
        (b"a <b>", '<bdi class="s q">a &lt;b&gt;</bdi>'),
        (b'{"a": 1}', '<bdi class="">{ &quot;a&quot;: 1 }</bdi> <span class="c">JSON</span>'),
        (b"\xff\x00", 'ff 00</bdi> <span class="c">unknown bytes</span>'),
        (b"", '<span class="c">empty</span>'),
        (b"two\nlines", "two⏎lines"),
    ],
)
def test_a_cell_says_what_it_holds(data: bytes, line: str) -> None:
    assert line in cells.cell(Screen().short(data))


def test_a_cut_piece_says_its_full_size() -> None:
    assert "1 MiB" in cells.cell(Screen().short(Piece(b"x" * 4096, 1024 * 1024)))


def test_points_in_time_are_read_aloud() -> None:
    assert Screen().short(b"1795398431").moment == 1795398431
    assert Screen().short(b"1795398431123").moment == 1795398431.123
    assert Screen().short(b"12345").moment is None
    assert Screen().short(b"99999999999999").moment is None


def test_a_page_that_takes_too_long_goes_on_undecoded() -> None:
    screen = Screen()
    screen.spent = PAGE_SECONDS + 1

    assert screen.short(b'{"a":1}').decoded.chain == ("hex",)


@pytest.mark.parametrize("value", hostile.VALUES)
def test_colour_changes_nothing_of_the_text(value: bytes) -> None:
    shown = Screen().whole(value[:200_000])

    assert "".join(piece for _, piece in tokens(shown.decoded.text)) == shown.decoded.text
    coloured = tags.coloured(shown)
    assert "<script" not in coloured
    assert html.escape(shown.decoded.text[:20]) in coloured or shown.decoded.language == "json"


@pytest.mark.parametrize(
    ("value", "words"),
    [(1234567.0, "1,234,567"), (0.5, "0.5"), (1e300, "1e+300"), (float("inf"), "inf")],
)  # fmt: skip
def test_scores_are_shown_in_full(value: float, words: str) -> None:
    assert words in cells.score(value)


def test_a_run_of_bits_is_broken_at_the_end_of_a_row() -> None:
    bitmap = Bitmap.of(Bits(64, 256, ((70, 150), (300, 300)), False, 82, None))

    assert [(run.x, run.y, run.width) for run in bitmap.runs] == [
        (6, 0, 58), (0, 1, 23), (44, 3, 1),
    ]  # fmt: skip
    assert bitmap.height == 4


def test_places_stay_inside_the_map() -> None:
    drawn = Map.of([(10.0, 60.0, "a"), (11.0, 61.0, "b")], (10.5, 60.5, 90_000))

    assert all(0 <= dot.x <= 400 and 0 <= dot.y <= 240 for dot in drawn.dots)
    assert drawn.circle is not None and drawn.circle[3] <= 120


def test_one_place_is_a_map_too() -> None:
    assert Map.of([(10.0, 60.0, "a")], None).dots[0].x == 200


def faults_of(work: Callable[[], object], depth: int) -> int:
    """How many pages of memory the kernel had to give while ``work`` ran that deep."""
    if depth:
        return faults_of(work, depth - 1)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


def test_a_view_takes_room_for_its_calls_once() -> None:
    def row() -> None:
        pass

    def page() -> None:
        for _ in range(500):
            row()

    worst = max(faults_of(roomy(page), depth) for depth in range(250))

    assert worst < 100
