"""How scores are distributed: counted, drawn as bars, and as the score at each per cent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.boards.places import Place
from dashboard.ui import numbers
from redisops.leaderboards import Histogram, Overview, Standing

LARGE = 96
WIDTH, HEIGHT, TOP = 392.0, 168.0, 28.0
BASE = 138.0
PERCENTS = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0, 25.0, 10.0, 5.0, 1.0)


@dataclass(frozen=True)
class Bar:
    """One range of scores as a rectangle; ``words`` is its title."""

    x: float
    y: float
    width: float
    height: float
    words: str
    is_best: bool


@dataclass(frozen=True)
class Mark:
    """A score that is named: a dashed line with its words to one side."""

    x: float
    y: float
    words: str
    is_left: bool

    @property
    def words_x(self) -> float:
        return self.x - 5 if self.is_left else self.x + 5

    @property
    def words_y(self) -> float:
        return self.y + 8


@dataclass(frozen=True)
class Drawing:
    """Everything of one picture, and the same in words."""

    bars: list[Bar]
    marks: list[Mark]
    low: str
    high: str
    words: str
    notes: str

    width, height, base = WIDTH, HEIGHT, BASE


@dataclass(frozen=True)
class Scores:
    """``drawing`` is None when there is no finite score to draw."""

    histogram: Histogram
    drawing: Drawing | None
    median: Standing | None = None
    best: Standing | None = None


def beside(place: Place, seen: Overview | None) -> Scores | None:
    """For the panel beside the rows, of what the page has read; None when it read nothing."""
    if seen is None or seen.histogram is None or not seen.size:
        return None
    return _scores(place, seen.histogram, *seen.shares)


def read(place: Place) -> tuple[Scores, list[tuple[str, str, int]]]:
    """For a page of their own: counted now, and for some shares of all (the share, the score
    there, how many are at least as good). One round trip."""
    seen = place.library().overview(buckets=LARGE, percents=PERCENTS)
    at = dict(zip(PERCENTS, seen.shares, strict=True))
    assert seen.histogram is not None, "it was asked for"
    found = []
    for percent, standing in at.items():
        if standing is not None and seen.size * (100 - percent) >= 100:
            count = int(seen.size * (100 - percent) / 100)
            found.append((f"top {100 - percent:.3g}%", showing.shown(standing.score), count))
    return _scores(place, seen.histogram, at[50.0], at[99.0]), found


def _scores(
    place: Place, histogram: Histogram, median: Standing | None, best: Standing | None
) -> Scores:
    if not histogram.buckets:
        return Scores(histogram, None)
    best = best if histogram.size >= 100 else None
    return Scores(histogram, _drawing(histogram, median, best, is_high=place.is_high), median, best)


def as_points(histogram: Histogram) -> dict[str, Any]:
    """Edges, counts, and the share of all at or below each edge, for the plot."""
    total, seen = histogram.size or 1, histogram.lowest
    edges: list[float] = []
    counts: list[int] = []
    shares: list[float] = []
    for bucket in histogram.buckets:
        seen += bucket.count
        edges.append(bucket.high)
        counts.append(bucket.count)
        shares.append(round(100 * seen / total, 3))
    return {"low": histogram.buckets[0].low, "edges": edges, "counts": counts, "shares": shares}


def _drawing(
    histogram: Histogram, median: Standing | None, best: Standing | None, *, is_high: bool
) -> Drawing:
    buckets = histogram.buckets
    low, high = buckets[0].low, buckets[-1].high
    tallest = max(bucket.count for bucket in buckets) or 1
    step = (WIDTH - 8) / len(buckets)
    edge = best.score if best else None
    bars = []
    for at, bucket in enumerate(buckets):
        tall = max((BASE - TOP) * bucket.count / tallest, 1.0 if bucket.count else 0.0)
        is_best = edge is not None and (bucket.low >= edge if is_high else bucket.high <= edge)
        told = f"{showing.shown(bucket.low)} to {showing.shown(bucket.high)}: "
        told += f"{numbers.exact(bucket.count)} member{'s' * (bucket.count != 1)}"
        x = 4 + at * step
        bars.append(Bar(round(x, 1), round(BASE - tall, 1), round(max(step - 2, step * 0.7), 1),
                        round(tall, 1), told, is_best))  # fmt: skip
    marks = []

    def mark(standing: Standing | None, words: str, y: float) -> None:
        if standing is None or not low <= standing.score <= high:
            return
        share = (standing.score - low) / (high - low) if high > low else 0.5
        x = round(4 + share * (WIDTH - 8), 1)
        marks.append(Mark(x, y, f"{words} {_brief(standing.score)}", x > WIDTH - 104))

    mark(median, "median", 6)
    mark(best, "top 1% from", 20)
    said = [f"median {_brief(median.score)}"] if median else []
    said += [f"top 1 percent from {_brief(best.score)}"] if best else []
    words = f"Scores of {numbers.exact(histogram.size)} members: {'; '.join(said)}"
    return Drawing(bars, marks, _brief(low), _brief(high), words, _notes(histogram))


def _brief(score: float) -> str:
    return (
        numbers.count(score) if abs(score) < 1e15 and score == int(score) else showing.shown(score)
    )


def _notes(histogram: Histogram) -> str:
    """What cannot be drawn."""
    found = []
    if histogram.highest:
        found.append(f"{numbers.exact(histogram.highest)} at ∞")
    if histogram.lowest:
        found.append(f"{numbers.exact(histogram.lowest)} at −∞")
    return f"Not drawn: {', '.join(found)}." if found else ""
