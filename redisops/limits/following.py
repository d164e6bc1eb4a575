"""How a book stays new: it listens, looks by itself every few seconds, and signs itself on."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

import redis

from redisops.connection.waiting import waiting
from redisops.limits.document import CHANNEL, HEAD, KEY, MOST_BYTES, Document, DocumentError
from redisops.limits.matching import Matcher
from redisops.resilience.causes import diagnose
from redisops.steps import Steps, step

log = logging.getLogger("redisops.limits")

LISTEN = 0.2  # seconds of one wait for an announcement, so that an end is noticed
UNHEARD = 0.5  # seconds between two looks where announcements cannot be heard
SIGNED = 15.0  # seconds for which an instance is signed on
SIGN_EVERY = 5.0
TIME_TO_CONNECT = 3.0
MOST_WAIT = 5.0  # seconds between two looks while Redis is away, at most
BACK_AFTER = 60.0  # seconds after which an older document is believed
LARGE = 100_000  # bytes above which a document is not read in the event loop
NONE = Document(0)
INSTANCES = b"redisops:limits:instances:"


class Following:
    """The body of Book and AsyncBook; ``match`` reads one attribute, which is replaced whole."""

    def __init__(
        self,
        client: Any,
        service: str,
        defaults: Document | None = None,
        *,
        every: float = 2.0,
    ) -> None:
        defaults = defaults or NONE
        self._fast: Any = self._kind.of(client) if client is not None else None
        self.client = client
        self.service = service
        self.document = defaults
        self.trouble = ""
        self.instances = 1
        self._every = every
        self._matcher = Matcher(defaults.policies, service)
        self._read = False  # the document is a published one
        self._head = b""  # of the document that is held; "" is to be read
        self._older_since: float | None = None
        self._confirmed_at: float | None = None
        self._clock: float | None = None  # the server's clock less time.monotonic()
        self._ended = False
        self._ready()

    @property
    def version(self) -> int:
        """The version of the document."""
        return self.document.version

    @property
    def age(self) -> float | None:
        """Seconds since Redis last confirmed the document; None before the first time."""
        at = self._confirmed_at
        return None if at is None else time.monotonic() - at

    def now(self) -> float:
        """Seconds since 1970 by Redis's clock as far as it is known, else by this machine's."""
        clock = self._clock
        return time.time() if clock is None else time.monotonic() + clock

    def _forget(self) -> None:
        """Before following begins, also after a fork: who it is and what it is connected by."""
        self._instance = secrets.token_hex(8)
        self._waiting: Any = None
        self._pubsub: Any = None
        self._signed_at: float | None = None
        self._deaf = False
        self._refused = ""

    @step
    def follow(self) -> Steps[None]:
        """Keep the document new until the book is closed."""
        failures = 0
        try:
            while not self._ended:
                try:
                    yield from self._look()
                    failures = 0
                    yield from self._listen()
                except (redis.RedisError, OSError, TimeoutError) as error:
                    failures += 1
                    trouble = diagnose(error)
                    told = f"{trouble.sentence} ({trouble.detail})"
                    self._say(f"{told} Version {self.version} is held.")
                except Exception as error:
                    failures += 1
                    log.exception("the policies of %s cannot be followed", self.service)
                    name, held = type(error).__name__, self.version
                    self._say(f"{name} while following: see the log. Version {held} is held.")
                yield from self._hang_up()
                if failures and not self._ended:
                    yield self._rest(min(0.25 * 2 ** min(failures, 6), self._every, MOST_WAIT))
        except GeneratorExit:  # nothing may be awaited any more
            raise
        except BaseException:
            yield from self._leave()
            raise
        yield from self._leave()

    def _listen(self) -> Steps[None]:
        """Until something is wrong, or an announcement was missed: then it is set up anew."""
        yield from self._subscribe()
        yield from self._look()  # nothing is missed between the two
        every = min(self._every, UNHEARD) if self._deaf else self._every
        due = time.monotonic() + every
        while not self._ended:
            wait = max(0.0, min(LISTEN, due - time.monotonic()))
            announced = False
            if self._deaf:
                yield self._rest(wait)
            else:
                pubsub = self._pubsub
                message = yield self._bounded(
                    lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=wait),  # noqa: B023 - called at once
                    wait + TIME_TO_CONNECT,
                )
                announced = message is not None and message["type"] == "message"
            if self._ended:
                return
            if announced or time.monotonic() >= due:
                changed = yield from self._look()
                due = time.monotonic() + every
                if changed and not announced and not self._deaf:
                    return  # it was not told: the link may be dead

    def _subscribe(self) -> Steps[None]:
        if self._waiting is None:
            self._waiting = waiting(self.client)
        self._pubsub = self._waiting.pubsub()
        try:
            yield self._bounded(lambda: self._pubsub.subscribe(CHANNEL), TIME_TO_CONNECT)
            # The server's answer: a user without the right to the channel learns of it here.
            yield self._bounded(
                lambda: self._pubsub.get_message(timeout=TIME_TO_CONNECT), 2 * TIME_TO_CONNECT
            )
            self._deaf = False
        except redis.exceptions.NoPermissionError as error:
            if not self._deaf:
                log.warning(
                    "policies of %s: announcements cannot be heard (%s); looking every %s s",
                    self.service, error, UNHEARD,
                )  # fmt: skip
            self._deaf = True

    def _look(self) -> Steps[bool]:
        """Ask Redis; whether another document is held now. One command, two when it changed."""
        head = _bytes((yield self.client.getrange(KEY, 0, HEAD - 1)))
        changed, trouble = False, ""
        if not head:
            if self._read:
                trouble = f"There is no document in Redis; version {self.version} is held."
        elif head != self._head or b'"digest"' not in head:
            data = _bytes((yield self.client.getrange(KEY, 0, MOST_BYTES)))
            try:
                document = Document.loads(data) if len(data) < LARGE else None
                if document is None:
                    document = yield self._aside(lambda: Document.loads(data))
            except DocumentError as error:
                self._head = b""
                trouble = (
                    f"What is published cannot be used: {error}. Version {self.version} is held."
                )
            else:
                changed, trouble = yield from self._weigh(document, data)
        else:
            self._older_since = None
        yield from self._sign_on()
        if not trouble:
            self._confirmed_at = time.monotonic()
        self._say(trouble)
        self._confirmed()
        return changed

    def _weigh(self, document: Document, data: bytes) -> Steps[tuple[bool, str]]:
        """Take the document, unless it is older than the one that is held."""
        if self._read and document.version < self.version:
            now = time.monotonic()
            since = self._older_since = now if self._older_since is None else self._older_since
            if now - since < BACK_AFTER:
                return False, (
                    f"Version {document.version} is published, older than {self.version}, "
                    "which is held for a minute."
                )
        self._older_since = None
        same = self._read and document == self.document
        if not same:
            if len(data) < LARGE:
                matcher = Matcher(document.policies, self.service)
            else:
                matcher = yield self._aside(lambda: Matcher(document.policies, self.service))
            self._matcher, self.document, self._read = matcher, document, True
        self._head = data[:HEAD]
        return not same, ""

    def _sign_on(self) -> Steps[None]:
        """Say every few seconds that this instance lives, and learn how many do, and the time."""
        begun = time.monotonic()
        if self._signed_at is not None and begun - self._signed_at < SIGN_EVERY:
            return
        self._signed_at = begun
        try:
            count, seconds, micros = yield self._fast.script(
                "limits_instances", [self._sign()], [self._instance, int(SIGNED * 1000)]
            )
        except redis.ResponseError as error:
            if not self._refused:
                self._refused = str(error)
                log.warning("policies of %s: instances cannot be counted: %s", self.service, error)
            return
        self._refused = ""
        ended = time.monotonic()
        self.instances = max(1, int(count))
        self._clock = int(seconds) + int(micros) / 1e6 - (begun + ended) / 2

    def _leave(self) -> Steps[None]:
        try:
            yield from self._hang_up()
            if self._signed_at is not None and not self.trouble and not self._refused:
                yield self._fast.script("limits_instances", [self._sign()], [self._instance, 0])
            if self._waiting is not None and self._waiting is not self.client:
                yield self._closed(self._waiting)
        except (redis.RedisError, OSError, TimeoutError) as error:
            log.debug("policies of %s: not signed off: %s", self.service, error)

    def _hang_up(self) -> Steps[None]:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            try:
                yield self._closed(pubsub)
            except (redis.RedisError, OSError) as error:
                log.debug("policies of %s: the link was gone: %s", self.service, error)

    def _sign(self) -> bytes:
        return INSTANCES + self.service.encode()

    def _say(self, trouble: str) -> None:
        """Remember what is wrong; one line in the log when it begins, and one when it ends."""
        before, self.trouble = self.trouble, trouble
        if trouble and not before:
            log.warning("policies of %s: %s", self.service, trouble)
        elif before and not trouble:
            log.warning("policies of %s: well again, version %s.", self.service, self.version)

    # What the blocking and the awaiting book do in their own ways.

    _kind: Any  # of the fast path
    _ready: Any  # the end of the constructor
    _rest: Any
    _aside: Any
    _bounded: Any
    _closed: Any
    _confirmed: Any


def _bytes(value: bytes | str) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
