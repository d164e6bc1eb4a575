"""Where somebody is in the key browser: the part of the address that every link carries on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus, urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard.keys.browsing.forms import BrowseForm
from redisops import keys

# Longer names fit no address that every proxy and server takes.
LONGEST_IN_ADDRESS = 6_000
LONGEST_PREFIX_PATTERN = 256


class BadAddress(Exception):
    """The query string breaks a rule; the message says which."""


@dataclass(frozen=True)
class Browse:
    """A list of keys as its address says it. ``prefix`` is the open folder of the tree."""

    slug: str
    match: bytes | None = None
    type: str = ""
    ttl: str = ""
    size: str = ""
    idle: str = ""
    prefix: bytes = b""
    delimiter: bytes = b":"
    cursor: str = ""
    count: int = 100
    sort: str = "name"
    view: str = "tree"
    tree: str = ""
    is_given: bool = False

    @classmethod
    def of(cls, slug: str, query: QueryDict) -> Browse:
        """Read from a query string; raises BadAddress."""
        form = BrowseForm(query)
        if not form.is_valid():
            raise BadAddress(" ".join(words for _, words in form_errors(form)))
        data = form.told
        prefix = data["prefix"] or b""
        match = data["match"]
        if "match" in query and prefix:
            if match == pattern_below(prefix):
                match = None
            else:
                prefix = b""  # the field was edited: it says what is looked for, not the folder
        return cls(
            slug, match, data["type"], data["ttl"], data["size"], data["idle"], prefix,
            data["delimiter"] or b":", data["cursor"], data["count"] or 100,
            data["sort"] or "name", data["view"] or "tree", data["tree"],
            any(
                name in query
                for name in ("match", "type", "ttl", "size", "idle", "prefix", "view", "cursor")
            ),
        )  # fmt: skip

    @property
    def pattern(self) -> bytes | None:
        """The glob pattern that the list scans with; None for all keys."""
        if self.match is not None:
            return self.match
        return pattern_below(self.prefix) if self.prefix else None

    @property
    def shown_pattern(self) -> str:
        return keys.printable(self.pattern or b"")

    @property
    def exact(self) -> bytes | None:
        """The one key that the pattern can mean, if it is no real pattern."""
        return keys.literal(self.match) if self.match is not None else None

    @property
    def bulk_query(self) -> str:
        """The same keys as the pages for many keys at once are told: folder or pattern, filters."""
        told = {
            "prefix": keys.printable(self.prefix) if self.match is None else "",
            "match": keys.printable(self.match or b""),
            "type": self.type,
            "ttl": self.ttl,
            "size": self.size,
            "idle": self.idle,
        }
        return urlencode({name: value for name, value in told.items() if value})

    @property
    def search_url(self) -> str:
        """Where the values of the same keys are searched."""
        path = reverse("keys:search", args=[self.slug])
        return f"{path}?{self.bulk_query}" if self.bulk_query else path

    @property
    def is_filtered(self) -> bool:
        return bool(self.match is not None or self.type or self.ttl or self.size or self.idle)

    def query(self, **changes: Any) -> str:
        """The query string of this state with some changes; ``view`` is always in it."""
        state = self._told | changes
        assert len(state) == len(ADDRESSED), f"{changes} are not all part of an address"
        told = {
            name: keys.printable(value) if isinstance(value, bytes) else value
            for name, value in state.items()
            if value != USUAL[name] or name == "view"
        }
        return urlencode(told)

    def url(self, **changes: Any) -> str:
        """The address of a list; from its start, unless a cursor is among the changes."""
        changes = {"cursor": "", "tree": "", **changes}
        return f"{self.path}?{self.query(**changes)}"

    @cached_property
    def path(self) -> str:
        """The address of every list of this server: a page links to twenty."""
        return reverse("keys:index", args=[self.slug])

    @cached_property
    def _told(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ADDRESSED}

    @property
    def delimiter_words(self) -> str:
        return keys.printable(self.delimiter)

    @property
    def root_url(self) -> str:
        return self.url(prefix=b"", match=None, type="", ttl="", size="", idle="")

    @property
    def tree_url(self) -> str:
        return self.url(view="tree")

    @property
    def flat_url(self) -> str:
        return self.url(view="flat")

    @property
    def saving_url(self) -> str:
        """Where this list is given a name."""
        view = self.query(cursor="", tree="")
        return f"{reverse('keys:views', args=[self.slug])}?{urlencode({'view': view})}"

    @property
    def more_url(self) -> str:
        """This list, with the tree counted further."""
        return self.url(tree="more", cursor=self.cursor)

    @property
    def here_url(self) -> str:
        """This very list."""
        return self.url(cursor=self.cursor)

    def folder_url(self, prefix: bytes) -> str:
        """The address of a folder of the tree, without a pattern."""
        if not prefix:
            return self.url(prefix=b"", match=None, view="tree")
        before, after = self._around_a_folder
        return f"{before}{quote_plus(keys.printable(prefix))}{after}"

    @cached_property
    def _around_a_folder(self) -> tuple[str, str]:
        url = self.url(prefix=b"here", match=None, view="tree")
        before, name, after = url.partition("prefix=here")
        return before + name.removesuffix("here"), after

    @cached_property
    def around_a_key(self) -> tuple[str, str]:
        """What stands before and after a key's name in the address of a key beside this list."""
        return self.path, f"/?{self.query(tree='')}"


# What an address carries, in its order, and what goes without saying.
ADDRESSED = (
    "match", "type", "ttl", "size", "idle", "prefix", "delimiter", "cursor", "count", "sort",
    "view", "tree",
)  # fmt: skip
USUAL = {field.name: field.default for field in fields(Browse)}


def pattern_below(prefix: bytes) -> bytes:
    """A pattern for the keys below a folder. Very long ones are cut: the rows are checked again."""
    return keys.glob_escape(prefix[:LONGEST_PREFIX_PATTERN]) + b"*"


def form_errors(form: Any) -> list[tuple[str, str]]:
    """(field, sentence) for each error."""
    return [(name, f"{name}: {words}") for name, errors in form.errors.items() for words in errors]
