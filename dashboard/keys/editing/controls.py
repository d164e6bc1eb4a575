"""The buttons of an opened key: what may be changed here, and why something cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.keys.browsing.pane import Pane
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.keys.editing.operations import OPERATIONS
from redisops import keys
from redisops.edits import Edits
from redisops.values.pages import HashRow, HyperLogLogPage, ListRow, SortedSetRow, StringPage

LONGEST_PLACE = 4_000  # characters of a field or member in an address; longer ones are posted
BY_TYPE: dict[str, tuple[str, ...]] = {
    "string": ("value", "append", "upload", "bit"),
    "hash": ("add-field",),
    "list": ("push",),
    "set": ("add-member",),
    "zset": ("add-score", "add-place"),
    "stream": ("add-entry",),
    "ReJSON-RL": ("json", "add-path", "remove-path"),
    "vectorset": ("add-vector", "attributes", "remove-vector"),
}
SHORT = {
    "value": "Edit", "json": "Edit", "append": "Append…", "upload": "Replace by a file…",
    "bit": "Set a bit…", "add-field": "Add a field", "push": "Add an element",
    "add-member": "Add a member", "add-score": "Add a member", "add-place": "Add a place…",
    "add-entry": "Add an entry", "add-path": "Add a part…", "remove-path": "Remove a part…",
    "add-vector": "Add an element", "attributes": "Edit attributes…",
    "remove-vector": "Remove an element…", "count": "Count more", "expiry": "Set expiry",
    "persist": "Remove expiry", "rename": "Rename…", "copy": "Duplicate…", "field": "Edit",
    "remove-field": "Remove…", "field-expiry": "Set its expiry…", "element": "Edit",
    "insert": "Insert before…", "remove-element": "Remove…", "remove-member": "Remove…",
    "score": "Change the score", "place": "Move the place…", "remove-score": "Remove…",
}  # fmt: skip


@dataclass(frozen=True)
class Control:
    """One button or line of a menu. ``posted`` are the fields of a form where an address is too
    long; ``why_not`` greys it with the reason."""

    do: str
    label: str
    icon: str
    url: str
    why_not: str = ""
    posted: tuple[tuple[str, str], ...] = ()
    is_danger: bool = False


@dataclass(frozen=True)
class Controls:
    """What an opened key offers: the first, those in the menu, and deleting."""

    first: Control | None
    expiry: Control
    more: list[Control]
    delete_url: str


def of_key(pane: Pane) -> Controls | None:
    """The controls beside a key's name; None when there is nothing to change."""
    page = pane.page
    if page is None or pane.is_protected or len(pane.key) > LONGEST_IN_ADDRESS:
        return None
    features = pane.server.client().features()
    names = BY_TYPE.get(page.type, ())
    if isinstance(page, HyperLogLogPage):
        names = ("count",)
    elif isinstance(page, StringPage) and pane.told["show"] == "bits":
        names = ("bit", "value", "append", "upload")
    found = [_control(pane, features, name) for name in names]
    rest = ["persist"] if page.ttl is not None else []
    found_more = [_control(pane, features, name) for name in (*rest, "rename", "copy")]
    return Controls(
        found[0] if found else None,
        _control(pane, features, "expiry"),
        [*found[1:], *found_more],
        _address(pane, "delete"),
    )


def of_row(pane: Pane) -> list[Control]:
    """The controls of the row that is open."""
    if pane.opened is None:
        return []
    row = pane.opened[0].row
    features = pane.server.client().features()
    if isinstance(row, HashRow):
        names: tuple[str, ...] = ("field", "field-expiry", "remove-field")
        place = {"field": row.field}
    elif isinstance(row, ListRow):
        told = {"index": str(row.index)}
        return [
            _control(pane, features, name, **told)
            for name in ("element", "insert", "remove-element")
        ]
    elif isinstance(row, SortedSetRow):
        names, place = ("score", "remove-score"), {"member": row.member}
        if row.longitude is not None and row.latitude is not None:
            names = ("place", "remove-score")
    else:
        names, place = ("remove-member",), {"member": row}
    [(which, piece)] = place.items()
    if piece.is_cut:
        reason = f"its name is too long to be edited here: {piece.length:,} bytes"
        return [_control(pane, features, name, why_not=reason) for name in names]
    text = keys.printable(piece.data)
    extra = {}
    if "place" in names:
        extra = {"longitude": f"{row.longitude:.6f}", "latitude": f"{row.latitude:.6f}"}
    return [_control(pane, features, name, **{which: text}, **extra) for name in names]


def _control(pane: Pane, features: Any, do: str, *, why_not: str = "", **told: str) -> Control:
    operation = OPERATIONS[do]
    why_not = why_not or Edits.lacks(features, operation.edits)
    told = {"do": do, **told}
    posted: tuple[tuple[str, str], ...] = ()
    if sum(map(len, told.values())) > LONGEST_PLACE:
        posted, told = tuple(told.items()), {}
    url = _address(pane, "edit", **told)
    return Control(do, SHORT[do], operation.icon, url, why_not, posted, operation.is_danger)


def _address(pane: Pane, route: str, **told: str) -> str:
    path = reverse(f"keys:{route}", args=[pane.server.slug, pane.key])
    beside = pane.browse.query(tree="") if pane.browse.is_given else ""
    query = "&".join(filter(None, [beside, urlencode(told)]))
    return f"{path}?{query}" if query else path
