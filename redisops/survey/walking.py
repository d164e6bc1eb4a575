"""Walk all keys of a server, a little at a time, within a share of its time."""

from __future__ import annotations

import math
import time
from typing import Any

from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.survey.prices import Clock, Price
from redisops.survey.readers import TROUBLE, Reader
from redisops.survey.standing import Progress, Standing
from redisops.survey.tally import Tally
from redisops.values.calls import checked, is_refused, nodes, send

SMALLEST, LARGEST = 10, 250  # COUNT: at least, at most
BRIEF, LONG = 0.0001, 0.0003  # seconds of the server for one SCAN: more below, fewer above
HEAVY = 512 * 1024  # bytes of names in one reply, above which COUNT falls
CHUNK = 16  # keys measured in one round trip
IDLE = 2.0  # times as long as it computes, it rests: a third of one processor at most
UNSIZED = 30  # one key in so many is measured when nobody says how many there are


class _Survey(Standing):
    """One pass over the keys of a server or cluster.

    Call ``advance`` until it says ``is_done``, then take ``figures``. ``state`` is all that is
    needed to go on later, in another process too. ``samples`` is how many keys are measured of a
    keyspace that has more (None: every key); ``limit`` how many folders are told apart.
    ``pace`` holds it to a share of the server's time. Where the client knows a replica that is
    well (``Client.replicas``) the keys are read there, and only their use is asked of the primary,
    which alone knows who reads them; ``replicas=False`` reads primaries only. Uses DBSIZE, SCAN,
    TYPE, PTTL, MEMORY USAGE, OBJECT IDLETIME or FREQ, PING, and INFO where it may; writes nothing.

    Raises InvalidArgument for a state that is not one of ours.
    """

    @step
    def advance(self, seconds: float = 0.4) -> Steps[Progress]:
        """Walk on for about ``seconds``, rests included; two round trips for each SCAN.

        An error of Redis passes; call again to repeat the SCAN that it ended. Nothing is counted
        twice by that.
        """
        begun = time.monotonic()
        self._rested = time.thread_time()  # what was done between two calls is not ours
        self._readers.redis = self.redis
        try:
            if self._places is None:
                yield from self._meet()
            scans = self.scans  # however short the time, it gets on
            while not self.is_done and (
                self._chosen or self.scans == scans or time.monotonic() - begun < seconds
            ):
                yield from self._step()
        except BaseException:
            self._places = None  # it may be another server by the next time
            raise
        self.seconds += time.monotonic() - begun
        return self.progress

    def _step(self) -> Steps[None]:
        """What is next; when a replica fails in it, on from another server."""
        try:
            yield from self._next()
        except TROUBLE as error:
            if self._reader is None or not self._replica:
                raise
            why = yield from self._readers.after(error, self._node, self._reader)
            if why:
                self._leave(why)

    def _next(self) -> Steps[None]:
        """One round trip's worth of whatever is next."""
        part = self._part
        if part is None:
            yield from self._next_part()
        elif self._chosen:
            each = max(1, self.asking.commands)
            # The first key alone tells which of two facts the server keeps.
            chunk = CHUNK if part.measured or self._whole.measured else 1
            many = max(1, self.pace.batch(chunk * each) // each)
            yield from self._measure(part, self._chosen[:many])
            # Only now: keys of a trip that failed are asked for again.
            self._chosen = self._chosen[many:]
        elif self._replica and (self._cursor is None or self._readers.is_due()):
            still = yield from self._readers.again(self._node, self._replica, self._identity)
            if isinstance(still, str):
                self._leave(still)
            elif self._cursor is None:
                self._end_part(part)
        elif self._cursor is None:
            self._end_part(part)
        else:
            keys = yield from self._scan(self._cursor)
            self._chosen = part.count(keys)

    # --- The servers ------------------------------------------------------------------------

    def _meet(self) -> Steps[None]:
        """Look who is there; a part that cannot be gone on with is begun again.

        A cursor means something only to the process that gave it. After a restart or a failover
        the part of that server is counted from its start; what others gave stays.
        """
        primaries = yield from nodes(self.redis)
        places = {"" if node is None else str(node.name): node for node in primaries}
        if self.total is None and not self.scans:
            self.total = yield from self._size(list(places.values()))
        self._places = places
        self._reader = None
        if self._part is not None and self._node not in places:
            self._left.append(self._node)
            self._begin_again()
        elif self._part is not None:
            yield from self._meet_reader(places[self._node])
        self._left += [name for name in self._done if name not in places and name not in self._left]
        first = next(iter(places.values()))
        at = self._reader or Reader("", self.redis, first, "")
        yield from self._feel(at.redis, at.node)

    def _meet_reader(self, primary: Any) -> Steps[None]:
        """Find who the part under way was read from, or begin the part again."""
        identity = yield from self._who(primary)
        if not self._replica or (identity and identity == self._identity):  # or promoted since
            if identity and self._identity and identity != self._identity:
                self._begin_again()
            else:
                self._replica = ""
                self._reader = Reader("", self.redis, primary, identity)
            return
        still = yield from self._readers.again(self._node, self._replica, self._identity)
        if isinstance(still, str):
            self._leave(still)
        else:
            self._reader = still

    def _leave(self, why: str) -> None:
        """Read no more from this replica: its part begins again elsewhere."""
        self._readers.leave(self._replica, why)
        self._begin_again()

    def _begin_again(self) -> None:
        self._again += 1
        self._part, self._chosen, self._reader, self._replica = None, [], None, ""

    def _size(self, primaries: list[Any]) -> Steps[int | None]:
        sizes = yield from send(self.redis, [(node, ("DBSIZE",)) for node in primaries])
        if any(is_refused(size) for size in sizes):
            self.asking.missing.add("dbsize")
            return None
        return sum(int(checked(size)) for size in sizes)

    def _who(self, node: Any) -> Steps[str]:
        """What tells this process of the server from the one before; "" when INFO is refused."""
        [told] = yield from send(self.redis, [(node, ("INFO", "server"))])
        if is_refused(told):
            self.asking.missing.add("info")
            return ""
        return str(checked(told).get("run_id", ""))

    def _feel(self, redis: Any, node: Any) -> Steps[None]:
        """How long the way there and back takes, so that it is not held for work."""
        for _ in range(3):
            begun = time.monotonic()
            [reply] = yield from send(redis, [(node, ("PING",))])
            if is_refused(reply):
                return
            checked(reply)
            self.pace.felt(time.monotonic() - begun)

    def _next_part(self) -> Steps[None]:
        """Begin the next primary, or end the whole."""
        assert self._places is not None
        waiting = [name for name in self._places if name not in self._done]
        if not waiting:
            self.total_after = yield from self._size(list(self._places.values()))
            self.is_done = True
            return
        self._node = waiting[0]
        place = self._places[self._node]
        identity = yield from self._who(place)
        reader = None
        if self._replicas and identity:  # without INFO nobody can tell how a replica is
            reader = yield from self._readers.choose(self._node)
        self._reader = reader or Reader("", self.redis, place, identity)
        self._replica, self._identity = self._reader.name, self._reader.identity
        self._cursor = 0
        whole = self._whole
        each = UNSIZED if self.total is None else math.ceil(self.total / (self._samples or 1))
        room = (self._samples or 0) // 2 // len(self._places)
        rate = 1 if self._samples is None else max(1, each)
        whole.step = rate
        self._part = Tally(whole.folders.delimiter, whole.folders.limit, rate, room)

    def _end_part(self, part: Tally) -> None:
        if self._done:
            self._whole.join(part)
        else:
            self._whole = part
        self._done.append(self._node)
        self._part, self._reader, self._replica = None, None, ""

    # --- Its keys ---------------------------------------------------------------------------

    def _scan(self, cursor: int) -> Steps[list[bytes]]:
        yield from self._rest(1)
        clock = Clock()
        command = ("SCAN", cursor, "COUNT", self._count)
        reader = self._at
        [reply] = yield from send(reader.redis, [(reader.node, command)])
        self._spent(1, clock, self._scanning, self._count)
        after, keys = checked(reply)
        self._judge(keys)
        self._cursor = int(after) or None
        self.scans += 1
        self._readers.stumbles = 0
        return list(keys)

    def _measure(self, part: Tally, keys: list[bytes]) -> Steps[None]:
        commands = len(keys) * self.asking.commands
        if not commands:
            return
        yield from self._rest(commands)
        clock = Clock()
        reader = self._at
        owner = (self.redis, self._place) if self._replica else None
        found = yield from self.asking.of(reader.redis, reader.node, keys, owner)
        self._spent(commands, clock, self._measuring, commands)
        part.note(found)

    @property
    def _at(self) -> Reader:
        assert self._reader is not None
        return self._reader

    @property
    def _place(self) -> Any:
        assert self._places is not None
        return self._places[self._node]

    def _rest(self, commands: int) -> Steps[None]:
        seconds = self.pace.before(commands)
        if self.pace.share is not None:
            own = time.thread_time()
            seconds = max(seconds, IDLE * (own - self._rested))
            self._rested = own
        if seconds > 0:
            yield self.pause(seconds)

    def _spent(self, commands: int, clock: Clock, price: Price, units: int) -> None:
        """Tell the pace what it took, and what of it was the server's."""
        wall, own = clock.read()
        self._last = price.of(max(0.0, wall - own - self.pace.latency.trip), units)
        self.pace.spent(commands, wall, server=self._last)

    def _judge(self, keys: list[bytes]) -> None:
        """The next COUNT: by how long the server took, and by how much it sent."""
        if sum(map(len, keys)) > HEAVY or self._last > LONG:
            self._count = max(SMALLEST, self._count // 2)
        elif self._last < BRIEF:
            self._count = min(LARGEST, self._count + self._count // 4)

    _last = 0.0
    pause: Any


class Survey(_Survey, Blocking):
    """One pass over the keys of a server or cluster, through a blocking client."""


class AsyncSurvey(_Survey, Awaiting):
    """One pass over the keys of a server or cluster, through an awaiting client."""
