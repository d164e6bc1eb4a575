"""One server's overview while it moves: words, shapes, points and marks that go with the plots."""

from contextlib import suppress

import pytest
import redis
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
SHOP = "/servers/shop/"
DATA = """(points) => {
  const times = Array.from({length: 450}, (_, index) => 1000000 + index * 2);
  const columns = {};
  for (const host of document.querySelectorAll("[data-plot]"))
    for (const one of host.dataset.lines.trim().split(/\\s+/))
      columns[one.split(":")[0]] = times.map(() => null);
  for (const [at, value] of points) columns.reads[at] = value;
  return {times, columns, step: 2, seconds: 900, marks: []};
}"""


@pytest.fixture
def still(visit, stage):
    """The overview with nothing that moves it: its data is what the test says."""
    page = visit(SHOP)
    expect(page.locator("[data-plot=commands] canvas")).to_be_visible()
    page.locator("[data-pause]").click()
    return page


def test_captions_tell_what_the_plot_shows(still):
    still.evaluate(f"RedisopsCaptions.tell(({DATA})([[447, 10], [448, 30], [449, 20]]), true)")

    panel = still.locator(".panel", has=still.locator("[data-plot=commands]"))
    expect(panel.locator("summary")).to_have_text(
        "Reads: 20 last, 20 on average, 10 to 30. Writes: not known."
    )
    newest = panel.locator("tbody tr").first
    assert newest.locator("time").get_attribute("datetime") == "1970-01-12T14:01:38Z"
    assert newest.locator("td").nth(1).text_content() == "20"
    assert newest.locator("td").nth(2).text_content() == "—"


def test_captions_go_on_with_the_looks(visit):
    page = visit(SHOP)
    newest = page.locator(".in-words tbody time").first
    before = newest.get_attribute("datetime")
    # Who reads them has ten seconds before they change: these are over.
    page.evaluate("Date.now = ((now) => () => now() + 20_000)(Date.now)")

    expect(newest).not_to_have_attribute("datetime", before)


def test_a_point_between_gaps_is_drawn(still):
    ink = """() => {
      const canvas = document.querySelector("[data-plot=commands] canvas");
      const probe = document.createElement("span");
      probe.style.color = "var(--s1)";
      document.body.append(probe);
      const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
      probe.remove();
      const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] && [r, g, b].every((one, of) => Math.abs(data[at + of] - one) < 5))
          count += 1;
      return count;
    }"""
    draw = """(points) => {
      RedisopsPlots.draw((%s)(points));
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }"""
    still.evaluate(draw % DATA, [])
    empty = still.evaluate(ink)
    still.evaluate(draw % DATA, [[200, 5]])

    assert still.evaluate(ink) > empty


def test_marks_that_would_touch_are_one_with_their_count(still):
    gathered = "([list, near]) => RedisopsPlots.gathered(list, (mark) => mark.at, near)"

    def told(*marks):
        list_ = [{"at": at, "word": word} for at, word in marks]
        return [(one["x"], one["word"]) for one in still.evaluate(gathered, [list_, 40])]

    assert told((0, "restart"), (30, "restart"), (39, "restart"), (40, "restart")) == [
        (0, "3 restarts"),
        (40, "restart"),
    ]
    assert told((9, "restart"), (0, "lost"), (8, "back")) == [(0, "restart")]
    assert told((0, "lost"), (5, "lost")) == [(0, "2 losses")]
    assert told((0, "restart"), (5, "update")) == [(0, "2 events")]


def test_the_switch_keeps_the_verdicts_shape(visit, stage):
    page = visit(SHOP)
    verdict, switch = page.locator("#part-verdict .st"), page.locator("[data-state-now] .st")
    expect(verdict).to_have_text("Healthy")
    expect(switch).to_have_class("st ok")
    stage.shop.pause()
    try:
        expect(verdict).to_have_text("Unreachable")
        assert switch.get_attribute("class") == verdict.get_attribute("class")
        expect(switch).to_have_text("Unreachable")
    finally:
        stage.shop.resume()


def test_long_names_of_commands_stay_in_their_column(visit, stage):
    page = visit(SHOP)
    busiest = page.locator("#part-top")
    asked = "CLUSTER COUNT-FAILURE-REPORTS"
    with stage.shop.client() as plain:
        for _ in range(3000):
            # Refused by a server that is no cluster: its name is followed by a count of errors.
            with suppress(redis.ResponseError):
                plain.execute_command(asked, "x")
    expect(busiest.locator("td", has_text=asked)).to_contain_text("err/s")

    assert page.evaluate("document.documentElement.scrollWidth") == 1440
    assert busiest.evaluate("(part) => part.firstElementChild.scrollWidth <= part.clientWidth")
