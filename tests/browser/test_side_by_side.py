"""Two people watch the same board and the same stream; the line to one is cut and mended."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import Page, expect

from redisops.keys import to_url
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.browser
BOARD, STREAM = b"both:arena", b"both:orders"


def board_page(key: bytes = BOARD) -> str:
    return f"/servers/shop/leaderboards/keys/{to_url(key)}/"


def stream_page(key: bytes = STREAM) -> str:
    return f"/servers/shop/streams/{to_url(key)}/"


PLACES = """() => [...document.querySelectorAll("[data-board] tbody tr")].map((row) =>
  [row.dataset.id, ...[".rank", ".score"].map((name) => row.querySelector(name).textContent)])"""
ENTRIES = """() => [...document.querySelectorAll("#tail-rows tr[data-id]")].map(
  (row) => row.dataset.id)"""
TOLD = """() => {
  const told = window.RedisopsTail;
  return [told.unknown, told.rows + told.capped + told.missed];
}"""


def becomes(page: Page, read: str, wanted: list[object]) -> None:
    """Wait until the page shows exactly this, in this order; then say what is different."""
    found: object = None
    for _ in range(400):
        found = page.evaluate(read)
        if found == wanted:
            return
        page.wait_for_timeout(50)
    assert found == wanted


def is_live(page: Page) -> None:
    expect(page.locator("[data-live-mark]")).to_contain_text("Live")


def test_two_browsers_show_the_same_ranks_and_rows_after_a_burst(visit, stage):
    """Not each what it happened to catch, but both what Redis has: every rank, score and id."""
    chance = random.Random(3)
    with stage.shop.client() as plain:
        plain.zadd(BOARD, {f"player:{n:03}": 1000 - n for n in range(200)})
        first = plain.xadd(STREAM, {"n": "first"}).decode()
        boards = [visit(board_page()), visit(board_page(), width=1024)]
        tails = [visit(stream_page()), visit(stream_page(), width=1024)]
        for page in (*boards, *tails):
            is_live(page)

        ids = [first]
        for _ in range(20):
            pipe = plain.pipeline(transaction=False)
            for _ in range(50):
                pipe.zincrby(
                    BOARD, chance.randrange(-40, 400), f"player:{chance.randrange(200):03}"
                )
            for n in range(5):
                pipe.xadd(STREAM, {"n": n})
            ids += [one.decode() for one in pipe.execute()[50:]]

        top = plain.zrange(BOARD, 0, 19, desc=True, withscores=True)
    # Equal scores share a rank.
    scores = [score for _, score in top]
    ranks = [scores.index(score) + 1 for score in scores]
    wanted = [
        [to_url(name), str(rank), f"{int(score):,}"]
        for (name, score), rank in zip(top, ranks, strict=True)
    ]
    for page in boards:
        becomes(page, PLACES, wanted)
    for page in tails:
        becomes(page, ENTRIES, ids[::-1])
        expect(page.locator("#tail-rows tr.gap")).to_have_count(0)


def test_a_network_that_is_cut_or_silent_is_said_and_mended_without_a_loss(
    stage, browser, signed_in
):
    """A reset line, a line that swallows everything, a browser that knows it is offline."""
    key, board_key = b"cut:orders", b"cut:arena"
    with stage.shop.client() as plain, Proxy(stage.console.port) as line:
        plain.zadd(board_key, {"ann": 10, "bob": 9})
        plain.xadd(key, {"n": 0})
        context = browser.new_context(
            storage_state=signed_in, base_url=f"http://127.0.0.1:{line.port}"
        )
        tail, board = context.new_page(), context.new_page()
        tail.clock.install()
        tail.goto(stream_page(key))
        board.goto(board_page(board_key))
        mark = tail.locator("[data-live-mark]")
        for page in (tail, board):
            is_live(page)
        shown = tail.evaluate(ENTRIES)

        line.mode("down")
        for page in (tail, board):
            expect(page.locator("[data-live-mark]")).to_contain_text("Not live since")
        shown = [plain.xadd(key, {"n": n}).decode() for n in range(30)][::-1] + shown
        plain.zadd(board_key, {"bob": 77_777})
        line.heal()
        becomes(tail, ENTRIES, shown)
        expect(board.locator("[data-board] tbody tr").first).to_contain_text("77,777")
        expect(tail.locator("#tail-rows tr.gap")).to_have_count(0)
        is_live(tail)

        # Nothing tells the page: only that it hears nothing for 15 s, not even that all is well.
        line.mode("cut")
        shown = [plain.xadd(key, {"n": n}).decode() for n in range(5)][::-1] + shown
        tail.clock.fast_forward(16_000)
        expect(mark).to_contain_text("Not live since")
        line.heal()
        becomes(tail, ENTRIES, shown)
        is_live(tail)

        # The browser knows; and more came meanwhile than is sent again: how many is said.
        line.mode("cut")
        context.set_offline(True)
        expect(mark).to_contain_text("Not live since")
        pipe = plain.pipeline(transaction=False)
        for n in range(500):
            pipe.xadd(key, {"n": n})
        pipe.execute()
        line.heal()
        context.set_offline(False)
        is_live(tail)
        becomes(tail, TOLD, [0, 535])
        told = tail.evaluate("window.RedisopsTail")
        assert told["capped"] + told["missed"] >= 200
        context.close()
