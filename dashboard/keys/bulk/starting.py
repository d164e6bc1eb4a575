"""Begin bulk work: count keys into a list, then act on the list. Each returns the job."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from redis.exceptions import RedisError, ResponseError

from dashboard.jobs import starting
from dashboard.keys.bulk.freezing import Writer
from dashboard.keys.bulk.models import KeyList
from dashboard.servers import access, clients
from dashboard.servers.models import Server
from redisops import keys as names
from redisops.errors import RedisopsError
from redisops.filters import Filter, span
from redisops.keys import printable, to_url

if TYPE_CHECKING:
    from dashboard.jobs.models import Job

MOST_SELECTED = 100_000
LEAST_LIMIT = 20
LONGEST_JITTER = 30 * 24 * 3600
ALL = b"*"


class Refused(Exception):
    """It was not begun; the text is a whole sentence for the page."""


def list_keys(
    request: HttpRequest, server: Server, *, match: bytes = b"", prefix: bytes = b"",
    type: str = "", ttl: str = "", smallest: int | None = None, largest: int | None = None,
    size: str = "", idle: str = "",
    keys: Iterable[bytes] | None = None, rename: tuple[bytes, bytes] | None = None,
    limit: float | None = None,
) -> Job:  # fmt: skip
    """Count keys into a frozen list; ``job.params["list"]`` is the KeyList's pk.

    Exactly one of ``match`` (a glob pattern), ``prefix`` and ``keys`` (a selection) is given;
    none or an empty one raises Refused, "everything" must be said as ``match=b"*"``. ``type``,
    ``ttl``, ``size`` and ``idle`` (as ``redisops.filters.Filter``), or ``smallest`` and
    ``largest`` (bytes, both included) filter. ``rename``
    (old prefix, new prefix) also counts which of the new names are taken. ``limit`` is in
    commands a second. The list is READY when the job has ended (its ``finished`` sets it).
    InvalidArgument: a pattern or filter that breaks a rule.
    """
    selected = None if keys is None else list(dict.fromkeys(keys))
    if sum(map(bool, (match, prefix, selected))) != 1:
        raise Refused(
            "Say which keys: a pattern, a prefix or a selection. An empty one does not mean all."
        )
    names.pattern(match or names.glob_escape(prefix) + b"*")
    Filter(ttl, size, idle)
    if size:
        low, high = span(size)
        smallest, largest = low, None if high is None else high - 1
    if match and (only := names.literal(match)) is not None:
        selected = [only]
    if selected is not None and len(selected) > MOST_SELECTED:
        raise Refused(f"{len(selected):,} keys are too many to select: use a pattern or a prefix.")
    source = (
        KeyList.Source.PATTERN if match
        else KeyList.Source.PREFIX if prefix
        else KeyList.Source.SELECTION
    )  # fmt: skip
    label = printable(match) if match else f"{printable(prefix)}*" if prefix else ""
    key_list = KeyList(
        server=server, person=_person(request), source=source, match=match, prefix=prefix,
        type=type, ttl=ttl.replace(" ", ""), idle=idle.replace(" ", ""), smallest=smallest,
        largest=largest, label=label,
    )  # fmt: skip
    if selected is not None and not label:
        key_list.label = _called(selected)
    return _count(request, key_list, selected, rename, limit)


def list_of(server: Server, person_id: int | None, source: str, label: str) -> KeyList:
    """A new, empty list in the state COUNTING, to be filled by a ``freezing.Writer``.

    For searches and imports. In each step of the job: ``writer.add(keys)`` and
    ``work.also(writer.flush())``; at its end ``key_list.close(writer.total)`` in the last
    transaction. It then has no facts: ``count_again`` looks at its keys.
    """
    return KeyList.objects.create(
        server=server, person_id=person_id, source=source, label=label.replace("\x00", "\\x00")
    )


def count_again(
    request: HttpRequest, key_list: KeyList, *, rename: tuple[bytes, bytes] | None = None,
    limit: float | None = None,
) -> Job:  # fmt: skip
    """Count the same keys, by the same pattern or selection, into a new list.

    What was left out by hand stays left out.
    """
    again = KeyList(
        server=key_list.server, person=_person(request), source=key_list.source,
        match=bytes(key_list.match), prefix=bytes(key_list.prefix), type=key_list.type,
        ttl=key_list.ttl, idle=key_list.idle, smallest=key_list.smallest, largest=key_list.largest,
        label=key_list.label, left_out=key_list.left_out,
    )  # fmt: skip
    is_walked = key_list.source in (KeyList.Source.PATTERN, KeyList.Source.PREFIX)
    pattern = bytes(key_list.match)
    if is_walked and not (pattern and names.literal(pattern) is not None):
        return _count(request, again, None, rename, limit)
    check_limit(limit)
    # Before the transaction of the job: a list may be long, and SQLite has one writer. One that
    # gets no job is forgotten like any other that nobody uses.
    again.protected = key_list.protected
    again.save()
    again.copy_names(key_list)
    return _count(request, again, None, rename, limit, is_copied=True)


def delete(
    request: HttpRequest, key_list: KeyList, *, undo: bool = True, too_big: bool = False,
    why: str = "", limit: float | None = None,
) -> Job:  # fmt: skip
    """Delete its keys; with ``undo`` each is kept in the recycle bin first.

    What is too big for the bin is left alone and listed; with ``too_big`` it is deleted.
    Every action raises Refused (the list is stale, empty, not ready or of another server) and
    ``jobs.Busy``. ``limit`` is in commands a second, None: only by the server's load ceiling.
    """
    return _act(request, key_list, "keys.delete", {"undo": undo, "too_big": too_big}, why, limit)


def expire(
    request: HttpRequest, key_list: KeyList, *, at: datetime.datetime, jitter: float = 0.0,
    why: str = "", limit: float | None = None,
) -> Job:  # fmt: skip
    """Let its keys expire at ``at`` (aware, in the future), each up to ``jitter`` seconds later.

    How much later is fixed for each key when the job begins: by its name and the job's salt.
    """
    if at <= timezone.now():
        raise Refused("The time to expire is past: that would delete the keys. Use Delete.")
    if not 0 <= jitter <= LONGEST_JITTER:
        raise Refused("Keys can be spread over at most 30 days.")
    params = {
        "at": int(at.timestamp() * 1000), "jitter": int(jitter * 1000),
        "salt": secrets.token_hex(16),
    }  # fmt: skip
    return _act(request, key_list, "keys.expire", params, why, limit)


def persist(
    request: HttpRequest, key_list: KeyList, *, why: str = "", limit: float | None = None
) -> Job:
    """Take the expiry from its keys."""
    return _act(request, key_list, "keys.persist", {}, why, limit)


def rename(
    request: HttpRequest, key_list: KeyList, *, old: bytes, new: bytes, conflict: str = "skip",
    why: str = "", limit: float | None = None,
) -> Job:  # fmt: skip
    """Give each key that begins with ``old`` the same name with ``new`` instead.

    ``conflict``: "skip" leaves a key alone whose new name is taken, "replace" keeps what is
    there in the recycle bin and overwrites it. Keys that do not begin with ``old`` are skipped.
    """
    if old == new:
        raise Refused("The new prefix is the old one: nothing would change.")
    _check_conflict(conflict)
    params = {"old": to_url(old), "new": to_url(new), "conflict": conflict}
    scope = _common([_scope(key_list), new])
    return _act(request, key_list, "keys.rename", params, why, limit, scope=scope)


def copy(
    request: HttpRequest, key_list: KeyList, *, target: Server, old: bytes = b"",
    new: bytes = b"", conflict: str = "skip", db: int | None = None, why: str = "",
    limit: float | None = None,
) -> Job:  # fmt: skip
    """Copy its keys with their expiry to ``target``, a server that the person may write.

    It may be their own: under another prefix, or in its database ``db`` (None: the row's own).
    ``old`` -> ``new`` renames a prefix on the way (both empty: same names). ``conflict`` as for
    ``rename``; what is replaced is kept in the recycle bin of ``target``.
    """
    is_own = target.pk == key_list.server_id
    if db == target.db:
        db = None
    if db is not None:
        _check_database(target, db, conflict, is_own=is_own)
    elif is_own and old == new:
        raise Refused(
            "These keys would be copied onto themselves: give the copies another prefix, or "
            "another database."
        )
    elif is_own and conflict == "replace" and (old.startswith(new) or new.startswith(old)):
        raise Refused(
            "One prefix begins with the other, so a copy could replace a key that is still to be "
            "copied. Leave keys alone whose name is taken."
        )
    if not access.may(request.user, "keys.bulk", target):
        raise Refused(f"You may not change many keys at once on {target}.")
    _check_conflict(conflict)
    name = target.name if db is None else f"{target.name}, database {db}"
    params = {
        "old": to_url(old), "new": to_url(new), "conflict": conflict,
        "target": target.pk, "target_name": name, "db": db,
    }  # fmt: skip
    scope = _scope(key_list)
    there = new if scope.startswith(old) and old else _common([scope, new])
    both = _common([scope, there]) if is_own and db is None else None
    return _act(request, key_list, "keys.copy", params, why, limit, scope=both)


def _check_database(target: Server, db: int, conflict: str, *, is_own: bool) -> None:
    """Raise Refused when copies cannot go to another database of ``target``."""
    if not is_own:
        raise Refused(f"Another database can be chosen of {target} only from its own keys.")
    if target.kind == target.Kind.CLUSTER:
        raise Refused("A cluster has one database only.")
    if target.is_home:
        raise Refused("The console's own Redis has no other database here: add it as a server.")
    if conflict == "replace":
        raise Refused(
            "What is replaced in another database could not be undone, because the recycle bin "
            "restores to the database of the server. Leave keys alone whose name is taken, or "
            "add that database as a server."
        )
    others = Server.objects.filter(withdrawn=None).exclude(pk=target.pk)
    if any(one.address == target.address and one.endpoint.db == db for one in others):
        raise Refused(
            f"Database {db} of {target} is a server of its own here, with roles of its own. "
            "Choose that server."
        )
    try:
        clients.in_database(target, db).ping()
    except ResponseError as error:
        raise Refused(f"{target} refuses database {db}: {error}") from error
    except (RedisError, RedisopsError) as error:
        raise Refused(f"{target} does not answer, so nobody can tell: {error}") from error


def _count(
    request: HttpRequest, key_list: KeyList, keys: Iterable[bytes] | None,
    rename: tuple[bytes, bytes] | None, limit: float | None, *, is_copied: bool = False,
) -> Job:  # fmt: skip
    """Begin to count: by walking, unless ``keys`` says which they are or the list has them."""
    check_limit(limit)
    is_known = is_copied or keys is not None
    with transaction.atomic():
        key_list.save()
        if keys is not None:
            writer = Writer(key_list)
            _, key_list.protected = writer.add(keys)
            writer.flush()()
            key_list.total = writer.total
        params = {
            "list": key_list.pk, "label": key_list.label,
            "phase": "look" if is_known else "walk",
            "rename": [to_url(part) for part in rename] if rename else None,
            "protected": key_list.protected,
        }  # fmt: skip
        job = starting.start(
            request, key_list.server, "keys.list", params, scope=_scope(key_list),
            total=key_list.total if is_known else None, limit=limit,
        )  # fmt: skip
        key_list.job_id = job.pk
        key_list.save(update_fields=["job_id", "total", "protected"])
    return job


def _act(
    request: HttpRequest, key_list: KeyList, kind: str, params: dict[str, Any], why: str,
    limit: float | None, scope: bytes | None = None,
) -> Job:  # fmt: skip
    check_limit(limit)
    if not key_list.is_ready:
        raise Refused("These keys have not been counted to the end.")
    if not key_list.is_fresh:
        raise Refused("This count is older than 15 minutes. Count the keys again first.")
    if key_list.acting <= 0:
        raise Refused("There is no key left to work on.")
    key_list.touch()
    params = {
        "list": key_list.pk, "label": key_list.label, "total": key_list.total,
        "left_out": key_list.left_out, **params,
    }  # fmt: skip
    return starting.start(
        request, key_list.server, kind, params,
        scope=_scope(key_list) if scope is None else scope,
        total=key_list.acting, reason=why, limit=limit,
    )  # fmt: skip


def _scope(key_list: KeyList) -> bytes:
    """What every key of the list begins with, as far as that is known."""
    if key_list.prefix:
        return bytes(key_list.prefix)
    if key_list.match:
        return names.fixed_start(bytes(key_list.match))
    ends = [_common([min(part), max(part)]) for part in key_list.every() if part]
    return _common(ends) if ends else b""


def _common(some: Sequence[bytes]) -> bytes:
    """The longest start that all have."""
    low, high = min(some), max(some)
    for at, byte in enumerate(low):
        if at >= len(high) or high[at] != byte:
            return low[:at]
    return low


def _called(keys: Sequence[bytes]) -> str:
    return printable(keys[0])[:300] if len(keys) == 1 else f"{len(keys):,} selected keys"


def _check_conflict(conflict: str) -> None:
    if conflict not in ("skip", "replace"):
        raise Refused("Say what to do with names that are taken: skip or replace.")


def check_limit(limit: float | None) -> None:
    """Raise Refused for a limit, in commands a second, that is too low to get anywhere."""
    if limit is not None and limit < LEAST_LIMIT:
        raise Refused(f"The limit must be at least {LEAST_LIMIT} commands a second.")


def _person(request: HttpRequest) -> Any:
    return None if isinstance(request.user, AnonymousUser) else request.user
