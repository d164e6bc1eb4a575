"""Leaderboards: ranks as an oracle has them, in one command, whoever asks and however tied."""

from __future__ import annotations

import math
import random
import threading
from bisect import bisect_left
from datetime import UTC, datetime

import pytest
import redis

from redisops.connection import connect, measure
from redisops.edits import (
    BoardBack,
    BoardScore,
    Conflict,
    Edit,
    Edits,
    Exists,
    Missing,
    Refused,
    Saved,
)
from redisops.errors import InvalidArgument, UnknownResult
from redisops.leaderboards import AsyncLeaderboard, Leaderboard, Standing
from redisops.windows import KEPT, named, span, window_at
from tests.faults.proxy import Proxy
from tests.hostile import NAMES
from tests.redisops.windows import far_from_midnight
from tests.servers import restricted

RULES = [
    ("dense", False, "high"),
    ("dense", True, "low"),
    ("competition", False, "low"),
    ("competition", True, "high"),
    ("unique", False, "high"),
    ("unique", False, "low"),
    ("unique", True, "high"),
    ("unique", True, "low"),
]
midnight = pytest.fixture(far_from_midnight, autouse=True)
READS = {
    "page": lambda board: board.page(),
    "later page": lambda board: board.page(3, 4),
    "look": lambda board: board.look(),
    "around": lambda board: board.around("m4", 2),
    "rank": lambda board: board.rank("m4"),
    "by score": lambda board: board.by_score(1, 3, 1, 3),
    "percentile": lambda board: board.percentile("m4"),
    "at percentile": lambda board: board.at_percentile(50),
    "count": lambda board: board.count(),
    "histogram": lambda board: board.histogram(4),
    "details": lambda board: board.details(["m4", "nobody"]),
    "overview": lambda board: board.overview(
        start=0, count=3, member="m4", buckets=4, percents=(99, 50, 1)
    ),
}
WRITES = {
    "set": lambda board: board.set("m4", 7),
    "add": lambda board: board.add("m4", 7),
    "keep best": lambda board: board.keep_best("m4", 70),
    "remove": lambda board: board.remove("m4"),
    "1,000 updates": lambda board: board.update_many([(f"u{n}", n) for n in range(1_000)]),
    "set details": lambda board: board.set_details({"m4": "x", "m5": None}),
    "reset": lambda board: board.reset("old"),
}


def wrapped(build, raw):
    """A board that another one gave, to be called like those of ``build``."""
    return build(lambda _: raw, lambda _: raw)


class Oracle:
    """Ranks by sorting everything."""

    def __init__(self, ties, first, order):
        self.ties, self.first, self.sign = ties, first, -1 if order == "high" else 1
        self.scores, self.reached, self.count = {}, {}, 0

    def write(self, how, member, score):
        old = self.scores.get(member)
        if how == "add":
            score += old or 0
        if how == "best" and old is not None and (score - old) * self.sign >= 0:
            score = old
        if score != old:
            self.count += 1
            self.reached[member] = self.count
        self.scores[member] = score

    def rows(self):
        if self.first:
            ranked = sorted(
                self.scores, key=lambda m: (self.sign * self.scores[m], self.reached[m])
            )
        else:
            names = sorted(self.scores, reverse=self.sign < 0)
            ranked = sorted(names, key=lambda m: self.sign * self.scores[m])
        keys = [self.sign * self.scores[m] for m in ranked]
        distinct = sorted(set(keys))
        rank = {
            "unique": lambda at: at + 1,
            "competition": lambda at: bisect_left(keys, keys[at]) + 1,
            "dense": lambda at: bisect_left(distinct, keys[at]) + 1,
        }[self.ties]
        return [Standing(m, self.scores[m], rank(at), at) for at, m in enumerate(ranked)]


def check(board, rows):
    """Everything that a board says, beside all rows of the oracle."""
    for size in (1, 2, 3, 7, 100):
        pages = [board.page(at, size) for at in range(0, len(rows) + 1, size)]
        assert [row for page in pages for row in page] == rows, size
    for at in range(0, len(rows), 3):
        row = rows[at]
        assert board.rank(row.member) == row
        assert board.around(row.member, 2) == rows[max(at - 2, 0) : at + 3]
        better = at if board.ties == "unique" else [one.score for one in rows].index(row.score)
        assert board.percentile(row.member) == 100 * (len(rows) - better) / len(rows)
        seen = board.overview(start=at, count=3, member=row.member, neighbours=at % 4,
                              buckets=3, percents=(100, 50, 0))  # fmt: skip
        assert seen.standings == tuple(rows[at : at + 3]) and seen.size == len(rows)
        assert seen.near == tuple(rows[max(at - at % 4, 0) : at + at % 4 + 1])
        assert seen.percentile == board.percentile(row.member)
        assert seen.shares == (rows[0], board.at_percentile(50), rows[-1])
        assert seen.histogram == board.histogram(3)
    for low, high in ((-5, 5), (2, 2), (1, 4), (99, 100)):
        within = [row for row in rows if low <= row.score <= high]
        assert board.by_score(low, high) == within
        assert board.by_score(low, high, 1, 2) == within[1:3]
    assert (board.at_percentile(100), board.at_percentile(0)) == (rows[0], rows[-1])
    assert board.look(1, 2).standings == tuple(rows[1:3])
    assert board.look(0, 2).size == board.look(1, 2).size == board.count() == len(rows)


@pytest.mark.parametrize(("ties", "first", "order"), RULES)
def test_ranks_are_those_of_sorting_everything(build, client, ties, first, order):
    chance = random.Random(f"{ties}{first}{order}")
    board = build(Leaderboard, AsyncLeaderboard, "race", ties=ties, first_wins=first, order=order)
    oracle = Oracle(ties, first, order)
    for _ in range(6):
        for how in ("set", "add", "best"):
            some = [(b"m%d" % chance.randrange(25), chance.randrange(5)) for _ in range(7)]
            for pair in some:
                oracle.write(how, *pair)
            board.update_many(some, how=how)
        member, score = b"m%d" % chance.randrange(25), chance.randrange(4) / 3
        oracle.write("set", member, score)
        told = board.set(member, score)
        assert told.rank == next(row.rank for row in oracle.rows() if row.member == member)
        gone = chance.choice(list(oracle.scores))
        assert board.remove(gone) == oracle.scores.pop(gone)
        assert board.remove(gone) is None

    check(board, oracle.rows())
    narrow = board.__dict__.get("_target", board)
    client.acl_setuser("narrow", enabled=True, nopass=True, keys=["*"],
                       categories=["+@read", "-@dangerous"], commands=["+ping"])  # fmt: skip
    other = redis.Redis(
        port=client.get_connection_kwargs()["port"], username="narrow", password="x"
    )
    try:
        plain = Leaderboard(other, "race", ties=narrow.ties, first_wins=first, order=order)
        check(plain, oracle.rows())
    finally:
        other.close()
        client.acl_deluser("narrow")


def test_the_first_to_reach_a_score_stays_before_the_others(build, client):
    board = build(Leaderboard, AsyncLeaderboard, "race", first_wins=True)
    exact = 2**53 / 3
    for member in ("cid", "ann", "bob"):
        board.set(member, exact)
    board.set("cid", exact)  # again: reached before, no new arrival
    board.keep_best("cid", 1)
    assert [row.member for row in board.page()] == [b"cid", b"ann", b"bob"]

    board.set("cid", 1), board.set("cid", exact)  # it lost the score and reached it again

    assert [row.member for row in board.page()] == [b"ann", b"bob", b"cid"]
    assert {row.score for row in board.page()} == {exact}
    pairs = client.zrange("leaderboard:{race}:all", 0, -1, withscores=True)
    assert {score for _, score in pairs} == {exact}
    # A member whose name is another's name in the sorted set does not take that one's place.
    stored = client.zrevrange("leaderboard:{race}:all", 0, 0)[0]
    assert board.rank(stored) is None and board.remove(stored) is None
    board.add(stored, 1)
    assert board.rank("ann") == Standing(b"ann", exact, 1, 0)
    assert board.rank(stored).score == 1


def test_many_at_once_reach_a_score_in_the_order_in_which_the_server_took_them(server, client):
    arrivals = []

    def run(number):
        with connect(server.url) as link:
            board = Leaderboard(link, "race", first_wins=True)
            for n in range(40):
                name = f"{number}-{n}"
                board.set(name, 5)
                link.rpush(f"arrived:{number}", name)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with connect(server.url) as link:
        page = [row.member for row in Leaderboard(link, "race", first_wins=True).page(0, 1000)]
    for number in range(4):
        own = client.lrange(f"arrived:{number}", 0, -1)
        arrivals += own
        assert [name for name in page if name.startswith(b"%d-" % number)] == own
    assert sorted(page) == sorted(arrivals)


@pytest.mark.parametrize("ties", ["competition", "dense"])
def test_every_read_and_write_is_one_command_or_two_in_one_round_trip(server, connecting, ties):
    with Proxy(server.port) as proxy:
        link = connecting(proxy.url)
        raw = getattr(link, "target", link)
        kind = AsyncLeaderboard if connecting.awaiting else Leaderboard
        board = connecting_board(connecting, kind(raw, "race", window="week", ties=ties))
        board.update_many([(f"m{n}", n // 2) for n in range(12)])
        for call in (*READS.values(), *WRITES.values()):
            call(board)  # scripts are loaded, the clock is known
        board.client.delete("leaderboard:{race}:archive:old") if not connecting.awaiting else None
        link.delete("leaderboard:{race}:archive:old")
        board.update_many([(f"m{n}", n // 2) for n in range(12)])

        for name, call in (READS | WRITES).items():
            proxy.forget()
            with measure() as cost:
                call(board)
            commands = {"look": 2, "set details": 2, "overview": 6}.get(name, 1)
            assert (cost.commands <= commands, proxy.round_trips) == (True, 1), name


def connecting_board(connecting, board):
    from tests.clients import Settling

    return Settling(board, connecting) if connecting.awaiting else board


def test_a_write_falls_into_the_window_that_is_open_at_the_server(build, client):
    day = datetime.fromtimestamp(client.time()[0], UTC)
    for kind, label in (
        ("day", f"{day:%Y-%m-%d}"), ("week", f"{day:%G-W%V}"), ("month", f"{day:%Y-%m}"),
    ):  # fmt: skip
        board = build(Leaderboard, AsyncLeaderboard, "race", window=kind, ties="dense", keep=2)
        raw = getattr(board, "_target", board)
        raw._clock.learn((1, 0))  # this process believes that it is 1970
        assert board.current().label.startswith("1970")

        board.set("ann", 3)
        board.update_many([("bob", 1)] * 2_001)

        window = board.current()
        assert window.label == label
        key = f"leaderboard:{{race}}:{label}"
        assert client.zrange(key, 0, -1) == [b"bob", b"ann"]
        for one in (key, key + ":scores"):
            assert client.expiretime(one) == window.step(2).end
        assert [season.size for season in board.windows()] == [2, 0, 0]
        past = wrapped(build, raw.at(window.step(-1)))
        past.set("ann", 9)
        assert [season.size for season in board.windows()] == [2, 1, 0]
        assert past.rank("ann").score == 9 and board.rank("ann").score == 3
        assert not client.keys("*1970*")
        raw._clock.learn((1, 0))
        assert board.reset().size == 2


def test_windows_are_iso_weeks_and_calendar_months_in_utc():
    at = lambda *when: datetime(*when, tzinfo=UTC).timestamp()  # noqa: E731
    assert window_at("week", at(2026, 12, 31)).label == "2026-W53"
    assert window_at("week", at(2027, 1, 3, 23, 59, 59)).label == "2026-W53"
    assert window_at("week", at(2027, 1, 4)).label == "2027-W01"
    assert window_at("week", at(2024, 12, 30)).label == "2025-W01"
    assert window_at("month", at(2024, 2, 29)).end == at(2024, 3, 1)
    assert named("month", "2026-12").step(1).label == "2027-01"
    assert named("month", "2027-01").step(-13).label == "2025-12"
    assert named("day", "2024-02-28").step(2).label == "2024-03-01"
    assert len(span(named("week", "2026-W52"), named("week", "2027-W02"))) == 4
    assert window_at("all", 0).step(5).label == "all" and KEPT["day"] == 31
    for kind, label in (
        ("day", "2026-1-1"), ("day", "20260101"), ("week", "2026-W54"), ("week", "2025-W53"),
        ("month", "2026-13"), ("all", ""), ("year", "2026"), ("day", "2026-02-30"),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument):
            named(kind, label)


def test_names_of_any_bytes_and_scores_at_the_ends_of_all_numbers(build):
    for first in (False, True):
        board = build(
            Leaderboard, AsyncLeaderboard, b"\xff odd:*name", first_wins=first, prefix=f"p{first}:"
        )
        board.update_many([(name, 1) for name in NAMES])
        board.set_details(dict.fromkeys(NAMES, b"\x00\xff"))
        assert {row.member for row in board.page(0, 1_000)} == set(NAMES)
        for name in NAMES:
            assert board.rank(name).member == name
        assert board.details(NAMES[:3]) == [b"\x00\xff"] * 3

        ends = [math.inf, 1.7976931348623157e308, 0.1, 5e-324, -0.0, -1e308, -math.inf]
        board.update_many([(f"end{n}", score) for n, score in enumerate(ends)])
        for n, score in enumerate(ends):
            assert board.rank(f"end{n}").score == score
        histogram = board.histogram(7)
        assert (histogram.lowest, histogram.highest) == (1, 1)
        assert sum(one.count for one in histogram.buckets) + 2 == histogram.size == board.count()
        assert board.add("end0", -5).score == math.inf

        for wrong in (math.nan, "x", None, 10**400):
            with pytest.raises(InvalidArgument):
                board.set("ann", wrong)
        with pytest.raises(InvalidArgument):
            board.add("ann", -math.inf)
        with pytest.raises(InvalidArgument):
            board.update_many([("ann", 1), ("bob", math.nan)])
        with pytest.raises(InvalidArgument):
            board.set(7, 1)
        assert board.rank("ann") is None and board.around("ann") == []
        assert board.percentile("ann") is None


def test_a_histogram_counts_every_member_in_bounded_buckets(build):
    board = build(Leaderboard, AsyncLeaderboard, "race")
    assert board.histogram().buckets == () and board.at_percentile(50) is None
    board.update_many([(f"m{n}", n % 10) for n in range(1_000)])

    # Ten whole scores in nine buckets are two for each, not one for some and two for others.
    assert [(one.low, one.high, one.count) for one in board.histogram(9).buckets] == [
        (low, low + 2, 200) for low in range(0, 10, 2)
    ]
    board.set("half", 9.5)
    halves = board.histogram(2).buckets
    assert [(one.low, one.high, one.count) for one in halves] == [(0, 4.75, 500), (4.75, 9.5, 501)]
    board.remove("half"), board.set("far", 1e9)
    assert sum(one.count for one in board.histogram(200).buckets) == 1_001
    for buckets in (0, 201):
        with pytest.raises(InvalidArgument):
            board.histogram(buckets)
    for start, count in ((-1, 5), (0, 0), (0, 10_001)):
        with pytest.raises(InvalidArgument):
            board.page(start, count)
        with pytest.raises(InvalidArgument):
            board.overview(start=start, count=count)
    for wrong in ({"percents": [101]}, {"percents": [1] * 101}, {"buckets": 201}):
        with pytest.raises(InvalidArgument):
            board.overview(**wrong)
    assert board.overview().size == 1_001
    long = build(Leaderboard, AsyncLeaderboard, "long", window="day", keep=5_000)
    assert len(long.windows()) == 1_000 and len(long.windows(3)) == 3


@pytest.mark.parametrize("rule", [{"ties": "dense"}, {"first_wins": True}, {"window": "week"}])
def test_a_reset_keeps_the_whole_board_under_another_name_or_changes_nothing(build, client, rule):
    board = build(Leaderboard, AsyncLeaderboard, "race", **rule)
    board.update_many([("ann", 3), ("bob", 3), ("cid", 1)])
    before = board.page()

    gone = board.reset("autumn", 2)

    assert gone.size == 3 and list(gone.top) == before[:2]
    assert gone.key == b"leaderboard:{race}:archive:autumn"
    assert board.page() == [] and board.count() == 0
    kept = wrapped(build, getattr(board, "_target", board).archive("autumn"))
    assert kept.page() == before and kept.rank("cid") == before[2]
    assert {client.ttl(key) for key in client.keys("*autumn*")} == {-1}
    board.set("dan", 1)
    with pytest.raises(InvalidArgument, match="autumn"):
        board.reset("autumn")
    assert [row.member for row in board.page()] == [b"dan"]
    assert board.reset("winter", archive_ttl=60).size == 1
    assert 0 < client.ttl("leaderboard:{race}:archive:winter") <= 60
    assert board.reset("spring").key is None and board.reset().size == 0
    assert not client.keys("*:2026*") and not client.keys("*all*")


def test_boards_are_added_up_unless_they_are_too_many(build, client):
    week = build(Leaderboard, AsyncLeaderboard, "race", window="day")
    raw = getattr(week, "_target", week)
    today = week.current()
    days = [raw.at(today.step(-back)) for back in range(3)]
    for n, day in enumerate(days):
        wrapped(build, day).update_many([("ann", 1), (f"only{n}", 5)])
    into = raw.union_key("three-days")

    assert week.union(days, into, weights=[1, 2, 3], ttl=60) == 4

    union = build(Leaderboard.over, AsyncLeaderboard.over, into)
    assert union.rank("ann") == Standing(b"ann", 6, 3, 2)
    assert 0 < client.ttl(into) <= 60
    with pytest.raises(InvalidArgument, match="6 members are more than 5"):
        week.union(days, into, most=5)
    assert union.count() == 4
    client.set("s", 1)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        week.union(days, "s")
    assert client.get("s") == b"1"


def test_any_sorted_set_opens_as_a_board_and_what_is_none_says_so(build, client):
    client.zadd(b"any \xff", {b"\x00": 1, "b": 1, "c": 2})
    board = build(Leaderboard.over, AsyncLeaderboard.over, b"any \xff", order="low")
    assert [row.rank for row in board.page()] == [1, 1, 3]
    assert board.rank(b"\x00") == Standing(b"\x00", 1, 1, 0)
    assert board.add("c", -1).rank == 1
    assert board.reset("any:old").size == 3 and client.zcard("any:old") == 3
    with pytest.raises(InvalidArgument):
        board.reset("any:old")
    unbooked = build(Leaderboard.over, AsyncLeaderboard.over, "any:old", ties="dense")
    client.zadd("any:old", {"d": 5})
    assert [row.rank for row in unbooked.page()] == [1, 2, 2, 2]  # counted from the top: known
    assert unbooked.rank("b").rank is None and unbooked.page(1, 1)[0].rank is None

    for rule in ({"ties": "dense"}, {"first_wins": True}):
        named = build(Leaderboard, AsyncLeaderboard, "race", **rule)
        named.update_many([("ann", 3), ("bob", 3), ("cid", 1)])
        same = build(Leaderboard.over, AsyncLeaderboard.over, "leaderboard:{race}:all", **rule)
        assert same.page() == named.page()
        assert same.set("dan", 3).rank == named.rank("dan").rank
        assert same.reset("leaderboard:{race}:kept").size == 4 and not client.keys("*:all*")
        assert client.delete(*client.keys("*:kept*")) == 2

    client.set("text", "x")
    wrong = build(Leaderboard.over, AsyncLeaderboard.over, "text")
    for call in [*READS.values(), *WRITES.values()]:
        if call not in (READS["details"], WRITES["set details"]):
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                call(wrong)
    assert client.get("text") == b"x"
    for name in ("", "a{b", "}"):
        with pytest.raises(InvalidArgument):
            Leaderboard(client, name)


def test_a_write_whose_reply_is_lost_is_not_repeated(server, client):
    with Proxy(server.port) as proxy, connect(proxy.url) as link:
        board = Leaderboard(link, "race", window="day")
        board.add("ann", 1)
        proxy.mode("lose_reply", match=b"EVALSHA")

        with pytest.raises(UnknownResult):
            board.add("ann", 1)

        proxy.heal()
    assert client.zscore(client.keys("*race*")[0], "ann") == 2


def test_a_user_who_may_only_read_has_every_reading(server):
    with connect(server.url) as link:
        full = Leaderboard(link, "race", window="day")
        full.update_many([(f"m{n}", n // 2) for n in range(12)])
        full.set_details({"m4": "x"})
        url = restricted(server, "+@read", "-@dangerous", "+ping", "~*")
        with connect(url) as narrow:
            board = Leaderboard(narrow, "race", window="day")
            for name, call in READS.items():
                assert call(board) == call(full), name
            assert board.windows(2) == full.windows(2)
            for call in WRITES.values():
                with pytest.raises(redis.exceptions.NoPermissionError):
                    call(board)
        hidden = restricted(server, "+@all", "~other")
        with connect(hidden) as blind:
            for call in READS.values():
                with pytest.raises(redis.exceptions.NoPermissionError):
                    call(Leaderboard(blind, "race"))


@pytest.mark.parametrize("awaiting", [False, True])
def test_on_a_cluster_all_of_a_board_is_in_one_slot(cluster, awaiting):
    from tests.clients import Connecting

    connecting = Connecting(awaiting=awaiting)
    link = connecting(cluster.url)
    raw = getattr(link, "target", link)
    kind = AsyncLeaderboard if awaiting else Leaderboard
    for n, rule in enumerate(({"ties": "dense"}, {"first_wins": True}, {"window": "week"})):
        own = kind(raw, f"race{n}", **rule)
        board = connecting_board(connecting, own)
        for call in (*WRITES.values(), *READS.values()):
            call(board)
        board.update_many([(f"u{n}", n) for n in range(2_500)])
        assert board.count() == 2_500 and len(board.windows()) in (1, 54)
        if n != 1:
            assert board.union([own], own.union_key("u")) == 2_500
            with pytest.raises(InvalidArgument, match="slot"):
                board.union([own, kind(raw, "elsewhere")], own.union_key("u"))
    connecting.close()


# --- Guarded changes ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", [(True, "unique"), (False, "dense"), (True, "dense")])
def test_an_edit_keeps_the_books_of_a_board_and_its_inverse_gives_the_place_back(client, rule):
    first_wins, ties = rule
    board, edits, key = _kept(client, first_wins, ties), Edits(client), b"leaderboard:{race}:all"
    told = {"first_wins": first_wins, "dense": ties == "dense"}
    for n, name in enumerate(["zoe", "bob", "ann", "<b>\xff", "dan"]):
        board.set(name, n // 3)
    client.expire(key, 1_000)
    random.seed(7)
    for _ in range(25):
        before, books = board.page(), client.zrange(key + b":scores", 0, -1, withscores=True)
        one = random.choice(before)
        member, seen = (one.member, one.score) if random.random() < 0.8 else (b"new", None)
        score = None if seen is not None and random.random() < 0.3 else float(random.randint(0, 2))
        edit = BoardScore(key, member, score, seen, **told)
        stale = BoardScore(key, member, 5.0, 77.0, **told)
        assert isinstance(edits.apply(stale), Conflict if seen is not None else Missing)
        would = edits.apply(edit, dry=True)
        assert board.page() == before, "a dry run writes nothing"

        done = edits.apply(edit)

        assert isinstance(done, Saved) and done.inverse == would.inverse
        assert edits.check(edit) == ("not done" if score == seen else "done")
        now = board.page()
        if score is not None and score != seen:  # as the library itself would have it
            assert board.set(member, score).rank == board.rank(member).rank
            assert board.page() == now
        assert isinstance(edits.apply(Edit.from_dict(done.inverse.to_dict())), Saved)
        assert board.page() == before
        assert client.zrange(key + b":scores", 0, -1, withscores=True) == books
    beside = [key + b":order"] * first_wins + [key + b":scores"] * (ties == "dense")
    assert all(900 < client.ttl(one) <= 1_000 for one in beside), "it lives as long as the board"
    assert isinstance(edits.apply(BoardScore(key, b"zoe", 1.0, None, **told)), Exists)
    past = BoardScore(b"leaderboard:{old}:all", b"zoe", 1.0, None, **told, expires_at=1)
    assert isinstance(edits.apply(past), Refused) and not client.exists(past.key)


def test_a_board_goes_back_beside_what_was_written_since(client):
    board, edits, key = _kept(client, True, "dense"), Edits(client), b"leaderboard:{race}:all"
    board.set("zoe", 5), board.set("bob", 5)
    before, old = board.page(), b"leaderboard:{race}:archive:old"
    board.reset("old")
    board.set("eve", 1)
    back = BoardBack(old, key, old + b"-since", books=True)

    assert isinstance(edits.apply(back, dry=True), Saved) and board.count() == 1
    assert isinstance(edits.apply(back), Saved)

    assert board.page() == before and board.add("bob", 0).rank == 1
    assert [one.member for one in board.archive("old-since").page()] == [b"eve"]
    assert isinstance(edits.apply(back), Missing), "once is enough"
    board.reset("old")
    board.set("eve", 1)
    taken = edits.apply(Edit.from_dict(back.to_dict()))
    assert isinstance(taken, Exists) and board.count() == 1, "nothing that was put aside is lost"


def test_a_part_is_written_once_however_often_it_is_sent(client):
    board, receipt = _kept(client, True, "unique"), "leaderboard:{race}:import:1"
    first = [(f"m{n}", 1) for n in range(1_000)]

    assert board.update_once(first, receipt, 0, how="add")
    assert not board.update_once(first, receipt, 0, how="add")
    assert board.update_once([("m0", 2)], receipt, 1_000, how="add")
    assert not board.update_once(first, receipt, 0, how="add"), "an old one that was under way"

    assert board.count() == 1_000 and board.rank("m0").score == 3
    assert 86_000 < client.ttl(receipt) <= 86_400
    client.set("leaderboard:{other}:all", "no board")
    with pytest.raises(redis.ResponseError):
        Leaderboard(client, "other").update_once(first, "leaderboard:{other}:import:1", 0)
    client.delete("leaderboard:{other}:all")
    assert Leaderboard(client, "other").update_once(first, "leaderboard:{other}:import:1", 0)
    board.forget_receipt(receipt)
    assert not client.exists(receipt)


def _kept(client, first_wins, ties):
    return Leaderboard(client, "race", first_wins=first_wins, ties=ties)
