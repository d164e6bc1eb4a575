"""Every page about one server, for tests that visit them all: under faults and in a browser.

A page that is built anew is added to ``PLAIN``, or, when it shows something that must exist
first, to ``furnish``, which makes such things by the console's own forms.
"""

from __future__ import annotations

import base64
import re

import httpx
import redis

from redisops.keys import to_url
from redisops.services import Registration, Registry
from tests.servers import until

# Below /servers/<slug>/: those that need nothing but the server.
PLAIN = [
    "", "keys/", "keys/?match=a*", "new-key/", "new-key/?kind=hash", "bulk/", "bulk/?match=a*",
    "analysis/", "views/?view=match%3Da%2A", "jobs/", "recycle-bin/", "console/", "search/",
    "export/", "export/?match=a*", "import/", "limits/", "limits/new/?example=orders",
    "limits/match/", "limits/import/", "limits/new/try/", "limits/subjects/", "pubsub/",
    "pubsub/?kind=pattern&name=*", "leaderboards/",
    "leaderboards/declare/", "leaderboards/uniques/", "services/",
    "services/?q=version:1", "services/changes/",
    "services/notifications/", "services/notifications/new/", "sessions/",
    "caching/eviction/", "caching/eviction/change/?policy=volatile-ttl", "caching/advice/",
]  # fmt: skip
# Those that ask the server nothing, or do without its answer: its troubles are none of theirs.
CALM = re.compile(
    r"/(bulk/|analysis/|views/|jobs/|recycle-bin/)(?!.*(names/|look=1))"
    r"|/limits/((new(/try)?|match|import|subjects|this-and-other(/(versions|try))?)/(\?|$)|$)"
    r"|/leaderboards/(declare/|declared/[^/]+/(history|edit|delete)/|keys/[^/]+/import/)"
    r"|/services/(changes|notifications)/"
)
# A key, and the forms that change it.
OF_A_KEY = ("", "edit/", "edit/?do=rename", "edit/?do=expiry", "delete/")


def plain_pages(slug: str) -> list[str]:
    """The addresses of ``PLAIN``."""
    return [f"/servers/{slug}/{page}" for page in PLAIN]


def is_calm(page: str) -> bool:
    """Whether the page is the same while its server is in trouble."""
    return bool(CALM.search(page))


def pages_of_key(slug: str, key: bytes, pages: tuple[str, ...] = OF_A_KEY) -> list[str]:
    """A key, and the forms that change it."""
    return [f"/servers/{slug}/keys/{to_url(key)}/{page}" for page in pages]


# A service with an instance up, one down and one in maintenance, and its pages.
SERVICE, UP, KEPT = "served", "<b>&1", "kept"
UP_THERE = f"services/{SERVICE}/~{base64.urlsafe_b64encode(UP.encode()).decode().rstrip('=')}/"
OF_A_SERVICE = [
    *(f"services/{SERVICE}/{page}" for page in ("", "checks/", "zombies/", f"{KEPT}/")),
    *(f"{UP_THERE}{page}" for page in ("", "maintain/", "deregister/")),
]


def serve(plain: redis.Redis) -> None:
    """Register the service; again after a server lost all that it had."""
    registry = Registry(plain)
    for id in (UP, "down", KEPT):
        registry.register(Registration(
            SERVICE, id, "10.0.0.7", 8000, version="<i>1", zone="b", metadata={"<b>": "<script>"},
            check={"kind": "http"}, ttl=300, state="passing",
        ))  # fmt: skip
    for _ in range(2):
        registry.judge(SERVICE, "down", "refused", "<script>alert(1)</script>")
    registry.maintain(SERVICE, KEPT, "<b>a new disk", seconds=86_400)


def watched(person: httpx.Client, slug: str) -> list[str]:
    """Have the service checked and somebody told of it; the pages of the notification."""
    here = f"/servers/{slug}/services/"
    terms = {"rise": "2", "fall": "3", "start_period": "60"}
    often = {"interval": "10", "timeout": "2", "jitter": "10", "delay": "0"}
    never = {"warn_ms": "0", "certificate_days": "0", "port": "0"}
    kind = {"mode": "written", "kind": "http", "method": "GET", "do": "save", "body": "<b>",
            "reason": "OPS-1"}  # fmt: skip
    page = f"{here}{SERVICE}/checks/"
    checked = post(person, page, to=f"{page}write/", **terms, **often, **never, **kind, seen="0")
    assert checked.status_code in (302, 409), checked.text[-3000:]  # there from the time before
    rule = {"severity": "critical", "wait": "0", "remind": "0", "time_zone": "UTC", "paused": "on"}
    where = {"pattern": "x", "kind": "mail", "address": "a@example.com"}
    answer = post(person, f"{here}notifications/new/", name="<b>", **rule, **where)
    assert answer.status_code in (302, 422), answer.text[-3000:]
    found = re.search(rf'"({here}notifications/\d+/)"', person.get(f"{here}notifications/").text)
    assert found, "nobody is told"
    return [found[1], f"{found[1]}remove/"]


def furnish(person: httpx.Client, plain: redis.Redis, slug: str, keys: list[bytes]) -> list[str]:
    """Write ``keys``, have one half of them counted and the other deleted; what pages that makes.

    They are the list of the first half (its dry run and its names), the job that deleted the
    others and its question before it is cancelled, their entry in the recycle bin, a saved view,
    a rate limit, a leaderboard of them all, a service and who is told of it. Needs a worker.
    ``person`` is an administrator. Keys may have any name.
    """
    here = f"/servers/{slug}/"
    for key in keys:
        plain.set(key, b"value of " + key, ex=3600)
    half = len(keys) // 2
    listed = listing(person, slug, keys[:half])
    doomed = listing(person, slug, keys[half:])
    answer = post(
        person, f"{doomed}?do=delete", do="delete", keep="on", confirm=words(len(keys) - half),
        place=slug, reason="OPS-4412",
    )  # fmt: skip
    assert answer.status_code == 302, answer.text[-3000:]
    job = answer.headers["Location"]
    until(lambda: "Undo…" in person.get(job).text, f"{job} did not delete", 60)
    assert not plain.exists(*keys[half:])
    found = re.search(rf'"({here}recycle-bin/\d+/)', person.get(f"{here}recycle-bin/").text)
    assert found, "nothing is in the recycle bin"
    post(person, f"{here}views/?view=match%3Da", to=f"{here}views/save/", name="<b>", query="")
    limit = {"path": "/<b>/**", "note": "<script>", "limit": "5", "period": "1 s"}
    way = {"algorithm": "token_bucket", "mode": "enforce", "on_failure": "open", "subject": "ip"}
    limited = post(person, f"{here}limits/new/", name="this-and-other", **limit, **way)
    assert limited.status_code in (302, 422), limited.text[-3000:]  # there from the time before
    board = b"board <b>"
    plain.zadd(board, {key: 7.5 - n for n, key in enumerate(keys)})
    told = {"window": "all", "order": "high", "ties": "competition", "top": "3"}
    declared = post(person, f"{here}leaderboards/declare/", name="Of-all", key=board, **told)
    assert declared.status_code in (302, 422), declared.text[-3000:]
    ranked = f"{here}leaderboards/keys/{to_url(board)}/"
    own = f"{here}leaderboards/declared/Of-all/"
    serve(plain)
    return [
        *watched(person, slug), *(here + page for page in OF_A_SERVICE),
        own, f"{ranked}?at={to_url(keys[0])}", f"{ranked}scores/", f"{ranked}import/",
        f"{ranked}change/?do=set&at={to_url(keys[0])}",
        *(f"{own}{page}/" for page in ("history", "end", "edit", "delete")),
        f"{here}limits/this-and-other/", f"{here}limits/this-and-other/versions/",
        *(f"{here}limits/this-and-other/{page}/" for page in ("try", "use", "shadow")),
        f"{here}limits/subjects/{to_url(b'10.0.0.7')}/",
        f"{listed}?do=delete", f"{listed}?do=rename", f"{listed}names/", job, f"{job}cancel/",
        found[1], f"{found[1]}?look=1",
    ]  # fmt: skip


def count(person: httpx.Client, slug: str, total: int) -> None:
    """Have the folders counted anew: the tree shows what the last count found.

    The console may publish a few documents of its own there meanwhile.
    """
    page = f"/servers/{slug}/analysis/"
    post(person, page, to=f"{page}count/")

    def is_counted() -> bool:
        found = re.search(r"([\d,]+) keys hold", person.get(page).text)
        return found is not None and 0 <= int(found[1].replace(",", "")) - total < 10

    until(is_counted, "nothing was counted", 60)


def words(count: int) -> str:
    return f"{count} key{'s' * (count != 1)}"


def listing(person: httpx.Client, slug: str, keys: list[bytes]) -> str:
    """Have keys counted; the address of their list."""
    here = f"/servers/{slug}/"
    names = [to_url(key) for key in keys]
    answer = post(person, f"{here}bulk/", do="delete", source="selection", key=names)
    assert answer.status_code == 302, answer.text[-3000:]
    address = answer.headers["Location"]
    button = f"Delete {words(len(keys))}"
    until(lambda: button in person.get(address).text, f"{address} was not counted", 60)
    return address.partition("?")[0]


def post(
    person: httpx.Client, path: str, /, *, to: str = "", **data: str | bytes | list[str]
) -> httpx.Response:
    """Send the form that is on a page, as a browser without JavaScript does."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', person.get(path).text)
    assert token, f"no form on {path}"
    origin = f"{person.base_url}".rstrip("/")
    return person.post(
        to or path, data={"csrfmiddlewaretoken": token[1], **data}, headers={"Origin": origin}
    )
