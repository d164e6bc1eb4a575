"""The side of the frame: each area registers its pages, the frame shows those a person may open.

Nothing here knows an area by name. Whether somebody may open a page of a server is asked of
the function that ``check_with`` was given (``servers.access`` gives its own); without one, every
registered page is listed: the pages guard themselves, a link is only a link.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

GROUPS = ("Observe", "Govern", "Operate", "Team")
# The group of pages that belong to the console as a whole: shown beside every server's pages.
CONSOLE_GROUP = "Team"

May = Callable[[Any, str, Any], bool]
Find = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Entry:
    """One page as it was registered."""

    group: str
    label: str
    icon: str
    url_name: str
    permission: str = ""
    order: int = 100
    per_server: bool = False
    letter: str = ""
    when: Callable[[HttpRequest], bool] | None = None
    mark: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Link:
    """One page as this person sees it now; ``letter`` opens it after ``g``.

    ``mark`` is a few characters of what goes on there ("60%"), or "".
    """

    label: str
    icon: str
    url: str
    is_current: bool
    letter: str
    group: str
    mark: str = ""


@dataclass(frozen=True)
class Group:
    name: str
    links: list[Link]


_entries: dict[str, Entry] = {}
_may: May | None = None
_find: Find | None = None


def register(
    *,
    group: str,
    label: str,
    icon: str,
    url_name: str,
    permission: str = "",
    order: int = 100,
    per_server: bool = False,
    letter: str = "",
    when: Callable[[HttpRequest], bool] | None = None,
    mark: Callable[[Any], str] | None = None,
) -> None:
    """List a page on the side. Called from ``AppConfig.ready()``; a second call replaces the first.

    ``per_server`` pages take the server's slug and are listed while one is chosen. ``permission``
    is asked of the access check for that server; ``when`` decides for pages of no server.
    ``letter`` is the wished key after ``g``; without it, or when taken, the label gives one.
    ``mark(server)`` gives a few characters of what goes on there, for pages of a server.
    """
    if group not in GROUPS:
        raise ValueError(f'"{group}" is not a group of the side: one of {", ".join(GROUPS)}')
    _entries[url_name] = Entry(
        group, label, icon, url_name, permission, order, per_server, letter, when, mark
    )


def check_with(may: May, find: Find | None = None) -> None:
    """Ask ``may(user, permission, server)`` before a page of a server is listed.

    ``find(user, slug)`` gives a server that the person may see, or None: pages of the frame that
    are about a server (the palette) use it.
    """
    global _may, _find
    _may = may
    _find = find or _find


def server_named(request: HttpRequest, slug: str) -> Any | None:
    """The server of that slug, if this person may see it."""
    return _find(request.user, slug) if slug and _find is not None else None


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the page's reader has ``permission`` on the page's server, or on the console."""
    return _may is not None and _may(request.user, permission, getattr(request, "server", None))


def entries() -> list[Entry]:
    """All registered pages, in the order of the side."""
    return sorted(_entries.values(), key=lambda e: (GROUPS.index(e.group), e.order, e.label))


def groups(request: HttpRequest, server: Any | None) -> list[Group]:
    """What the side lists for this request: the server's pages, or the console's without one."""
    shown = [entry for entry in entries() if _is_listed(entry, request, server)]
    urls = [_url(entry, server) for entry in shown]
    current = _current(request.path, urls)
    own = _of_area(request, zip(shown, urls, strict=True))
    if server is not None and own and current not in own:
        current = own[0]  # such as /bulk/, which is a page of keys
    letters = _letters(shown)
    links = [
        Link(
            entry.label,
            entry.icon,
            url,
            url == current,
            letter,
            entry.group,
            entry.mark(server) if entry.mark is not None and server is not None else "",
        )
        for entry, url, letter in zip(shown, urls, letters, strict=True)
    ]
    named = [Group(name, [link for link in links if link.group == name]) for name in GROUPS]
    return [group for group in named if group.links]


def _is_listed(entry: Entry, request: HttpRequest, server: Any | None) -> bool:
    if entry.when is not None and not entry.when(request):
        return False
    if entry.per_server:
        if server is None:
            return False
        return _may is None or not entry.permission or _may(request.user, entry.permission, server)
    return server is None or entry.group == CONSOLE_GROUP


def _url(entry: Entry, server: Any | None) -> str:
    if entry.per_server and server is not None:
        return reverse(entry.url_name, kwargs={"slug": server.slug})
    return reverse(entry.url_name)


def _current(path: str, urls: Iterable[str]) -> str | None:
    """The listed address that this path is, or lies below: the longest one wins."""
    home = reverse("servers:fleet")
    below = [url for url in urls if path == url or (path.startswith(url) and url != home)]
    return max(below, key=len, default=None)


def _of_area(request: HttpRequest, listed: Iterable[tuple[Entry, str]]) -> list[str]:
    """The listed addresses of the area that the request's route belongs to."""
    match = request.resolver_match
    area = f"{match.namespace}:" if match is not None and match.namespace else ""
    return [url for entry, url in listed if area and entry.url_name.startswith(area)]


def _letters(shown: list[Entry]) -> list[str]:
    """One key for each page: the wished one, else the first letter of its label that is free."""
    wished: dict[str, Entry] = {}
    for entry in shown:
        if entry.letter:
            wished.setdefault(entry.letter, entry)
    taken = set(wished)
    letters = []
    for entry in shown:
        if wished.get(entry.letter) is entry:
            letters.append(entry.letter)
            continue
        own = (c for c in entry.label.lower() if c.isascii() and c.isalpha() and c not in taken)
        letters.append(next(own, ""))
        taken.add(letters[-1])
    return letters
