"""What a worker does, as steps: read, handle, keep what it has, mend, and end well."""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import redis

from redisops.errors import RedisopsError
from redisops.resilience import Backoff, Cause, diagnose
from redisops.steps import Steps, step
from redisops.streams.model import Entry
from redisops.streams.work import (
    MOST_BLOCK,
    Reject,
    Terms,
    Work,
    is_gone,
    undelivered,
    words_of_failure,
)

log = logging.getLogger("redisops.streams")

TICK = 0.1
LAG_EVERY = 5.0
TIDY_EVERY = 600.0
TIDY_IDLE = 3_600.0
ERRORS = (redis.RedisError, RedisopsError, OSError, redis.RedisClusterException)
# What another try will not mend.
FINAL = frozenset({Cause.NOPERM, Cause.WRONGTYPE, Cause.UNSUPPORTED, Cause.CROSSSLOT, Cause.OTHER})


class _Loop(ABC):
    """One worker at work. ``member`` asks Redis, ``books`` remember; see ConsumerGroup."""

    member: Any

    def __init__(self, key: bytes, handler: Callable[[Entry], Any], terms: Terms) -> None:
        self.handler = handler
        self.terms = terms
        self.books = Work(key, terms)
        self.is_over = False
        self.failure: Exception | None = None
        self._is_ready = False
        self._ill = False  # the keeper's last turn failed
        self._more = True
        self._causes: dict[str, str] = {}
        self._late: deque[tuple[bytes, list[str]]] = deque()
        self._cursor = "0-0"
        self._claim_at = self._lag_at = 0.0
        self._tidy_at = time.monotonic() + TIDY_EVERY / 10
        self._backoff = Backoff(base=0.1, cap=5.0)

    # --- reading ---------------------------------------------------------------------------

    @step
    def reading(self) -> Steps[None]:
        """Read (and, where nobody else does, handle) until stopped or refused for good."""
        books, failures = self.books, 0
        while not books.stopping:
            try:
                if not self._is_ready:
                    yield self.member.create(self.terms.start)
                    self._is_ready = True
                yield from self._turn()
                if failures:
                    failures = 0
                    self._say(None)
            except ERRORS as error:
                if self._is_ready and is_gone(error):
                    try:
                        yield from self._heal(error)
                        continue
                    except ERRORS as worse:
                        error = worse
                if self._is_final(error):
                    self.failure = error if isinstance(error, Exception) else None
                    books.stopping = True
                    return
                failures += 1
                self._say(error)
                wait = max(0.05, self._backoff.delay(failures))
                yield self._until(lambda: books.stopping, wait)

    def _turn(self) -> Steps[None]:
        books, batch = self.books, self.terms.batch
        queue = books.queue
        if self.terms.concurrency == 1:
            yield from self._queued()
            if books.stopping:
                return
        elif len(queue) >= self.terms.concurrency:
            low = self.terms.concurrency
            yield self._until(lambda: books.stopping or len(queue) < low, 2 * TICK)
            return
        if self._more:
            done = books.take_done()
            try:
                found = yield self.member.read(batch, done)
            except BaseException:
                books.put_back(done)
                raise
            books.acked(done)
        else:
            yield from self._flush()
            block = max(1, int(1000 * min(MOST_BLOCK, books.next_due() + 0.01)))
            found = yield self.member.wait(batch, block)
        self._more = len(found) == batch or (self._more and bool(found))
        books.arrived(found)
        if found:
            self._tell()

    def _queued(self) -> Steps[None]:
        """Handle what is queued: ``_one`` for each entry, written out for the usual case."""
        books = self.books
        queue, running, finished = books.queue, books.running, books.done.append
        most = 0 if self.terms.once is not None else self.terms.max_deliveries
        while queue and not books.stopping:
            entry = queue.popleft()
            if entry.deliveries > most:
                yield from self._one(entry)
                continue
            id = entry.id
            running.add(id)
            try:
                yield self.handler(entry)
            except Exception as error:
                yield from self._failed(entry, error)
                continue
            running.discard(id)
            finished(id)
            if books.must_flush():
                yield from self._flush_bravely()

    @step
    def handling(self) -> Steps[None]:
        """Handle what the reader queues, until stopped; one of several at work."""
        books = self.books
        queue, low, count = books.queue, self.terms.concurrency, 0
        while not books.stopping:
            try:
                entry = queue.popleft()
            except IndexError:
                yield from self._flush_bravely()
                yield self._until(lambda: books.stopping or bool(queue), 2 * TICK)
                continue
            if len(queue) == low - 1:
                self._tell()
            yield from self._one(entry)
            count += 1
            if not count % 32:
                yield self._breathe()
        yield from self._flush_bravely()

    # --- one entry -------------------------------------------------------------------------

    def _one(self, entry: Entry) -> Steps[None]:
        books = self.books
        books.begin(entry)
        if entry.deliveries > self.terms.max_deliveries:
            yield from self._bury(entry, self._causes.pop(entry.id, undelivered(entry)))
            return
        if self.terms.once is not None:
            yield from self._one_of_a_kind(entry)
            return
        try:
            yield self.handler(entry)
        except Exception as error:
            yield from self._failed(entry, error)
        else:
            books.finished(entry)
            if books.must_flush():
                yield from self._flush_bravely()

    def _one_of_a_kind(self, entry: Entry) -> Steps[None]:
        """Handle an entry unless its idempotency key was handled within the window."""
        books = self.books
        try:
            name = books.name_of(entry)
        except Exception as error:
            yield from self._failed(entry, error)
            return
        if name is not None and not books.first_of(name, entry):
            return
        try:
            if name is not None and (yield self.member.was_done(name)):
                for one in [entry, *books.others_of(name, queue=False)]:
                    books.repeated(one)
                return
        except ERRORS as error:
            books.others_of(name or b"", queue=True)
            books.running.discard(entry.id)
            books.not_yet([entry.id])
            self._say(error)
            return
        try:
            yield self.handler(entry)
        except Exception as error:
            if name is not None:
                books.others_of(name, queue=True)
            yield from self._failed(entry, error)
            return
        if name is None:
            books.finished(entry)
            return
        ids = [entry.id]
        try:
            yield self.member.done_once(name, self.terms.window, ids)
        except ERRORS as error:
            self._late.append((name, ids))
            self._say(error)
        books.gone(entry, "handled")
        books.others_of(name, queue=True)

    def _failed(self, entry: Entry, error: Exception) -> Steps[None]:
        cause = words_of_failure(error)
        if isinstance(error, Reject) or entry.deliveries >= self.terms.max_deliveries:
            self.books.counts["failed"] += 1
            yield from self._bury(entry, cause)
        else:
            log.info("entry %s failed (%d): %s", entry.id, entry.deliveries, cause)
            self.books.failed(entry)

    def _bury(self, entry: Entry, cause: str) -> Steps[None]:
        books = self.books
        try:
            yield self.member.bury(books.dead, entry, cause, self.terms.most_dead)
        except ERRORS as error:
            if len(self._causes) < 1_000:
                self._causes[entry.id] = cause
            books.failed(entry)
            self._say(error)
            return
        log.warning("entry %s is a dead letter now: %s", entry.id, cause)
        books.gone(entry, "dead")

    # --- keeping ---------------------------------------------------------------------------

    @step
    def keeping(self) -> Steps[None]:
        """Show that entries are held, take over others', try again what is due; until over."""
        while not self.is_over:
            if self._is_ready:
                try:
                    yield from self._keep()
                    if self._ill:
                        self._ill = False
                        self._say(None)
                except ERRORS as error:
                    self._ill = True
                    if self._is_final(error) and not is_gone(error):
                        self.failure = self.failure or error
                        self.books.stopping = True
                        self._tell()
                    self._say(error)
                    yield self._until(lambda: self.is_over, 0.5)
            wait = min(TICK, self.books.next_due())
            yield self._until(lambda: self.is_over, max(0.005, wait))

    def _keep(self) -> Steps[None]:
        books = self.books
        books.sample()
        stale = books.stale()
        if stale:
            at = time.monotonic()
            kept = yield self.member.hold(stale)
            books.shown(stale, kept, at)
        if self._late:
            name, ids = self._late[0]
            yield self.member.done_once(name, self.terms.window, ids)
            self._late.popleft()
        if books.must_flush():
            yield from self._flush()
        if books.stopping:
            return
        due = books.due()
        if due:
            try:
                found = yield self.member.again(due)
            except BaseException:
                books.not_yet(due)
                raise
            books.once_more(found, due)
            self._tell()
        now = time.monotonic()
        if now >= self._claim_at and len(books.queue) < self.terms.batch:
            yield from self._claim(now)
        if now >= self._lag_at:
            self._lag_at = now + LAG_EVERY
            books.lag, books.pending = yield self.member.lag()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY
            idle = max(TIDY_IDLE, 10 * self.terms.claim_after)
            yield self.member.tidy(int(idle * 1000))

    def _claim(self, now: float) -> Steps[None]:
        idle = int(self.terms.claim_after * 1000)
        self._cursor, found = yield self.member.claim(idle, self._cursor, self.terms.batch)
        if self._cursor == "0-0":
            self._claim_at = now + self.terms.claim_after / 2 * random.uniform(0.8, 1.2)  # noqa: S311
        if found:
            log.info("took over %d entries that nobody worked on", len(found))
            self.books.arrived(found, claimed=True)
            self._tell()

    def _heal(self, error: BaseException) -> Steps[None]:
        """The stream or the group is gone: make the group anew, before what is held here."""
        newest = yield self.member.newest()
        start = self.books.restart_at(newest)
        if (yield self.member.create(start)):
            log.warning(
                "group %r of %r was gone (%s): made anew from %s on. What others had and did not "
                "acknowledge is known no more; entries since then may come again.",
                self.member.group, self.member.key, error, start,
            )  # fmt: skip
        self._more = True

    # --- ends ------------------------------------------------------------------------------

    @step
    def ending(self) -> Steps[None]:
        """Acknowledge what is done, let others have what was not begun, sign off."""
        if not self._is_ready:
            return
        books = self.books
        for failures in range(1, 5):
            try:
                yield from self._flush()
                while self._late:
                    name, ids = self._late[0]
                    yield self.member.done_once(name, self.terms.window, ids)
                    self._late.popleft()
                left = books.leftovers()
                yield self.member.release(left, int(self.terms.claim_after * 1000) + 1)
                yield self.member.leave()
                return
            except ERRORS as error:
                self._say(error)
                if is_gone(error) or self._is_final(error):
                    return
                yield self.pause(self._backoff.delay(failures))  # type: ignore[attr-defined]
        log.warning("stopped without Redis: what is not acknowledged will be handled again")

    def _flush(self) -> Steps[None]:
        ids = self.books.take_done()
        if not ids:
            return
        try:
            yield self.member.ack(ids)
        except BaseException:
            self.books.put_back(ids)
            raise
        self.books.acked(ids)

    def _flush_bravely(self) -> Steps[None]:
        """The keeper tries again what did not work."""
        try:
            yield from self._flush()
        except ERRORS as error:
            self._say(error)

    def _say(self, error: BaseException | None) -> None:
        """Keep the trouble in words; log it once, and its end."""
        if error is None:
            if self.books.trouble:
                log.warning("working again")
            self.books.trouble = ""
            return
        if not self.books.trouble:
            log.warning("%s", _words(error))
        self.books.trouble = _words(error)

    @staticmethod
    def _is_final(error: BaseException) -> bool:
        return not isinstance(error, OSError | redis.ConnectionError | redis.TimeoutError) and (
            diagnose(error).cause in FINAL
        )

    @abstractmethod
    def _tell(self) -> None:
        """Wake who waits in ``_until``."""

    _until: Callable[[Callable[[], bool], float], Any]
    _breathe: Callable[[], Any]


def _words(error: BaseException) -> str:
    trouble = diagnose(error)
    return f"{trouble.sentence} {trouble.detail}".strip()
