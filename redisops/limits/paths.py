"""Many patterns of paths as one tree, walked once for each path."""

from __future__ import annotations

from collections.abc import Iterable

from redisops.limits.patterns import Glob, Segment, Wild, parse


class _Node:
    """A place in the tree: what may come next, and the patterns that end here."""

    __slots__ = ("any", "ends", "globs", "literals", "loops", "one", "opens", "settles")

    def __init__(self, *, loops: bool = False) -> None:
        self.literals: dict[str, _Node] = {}
        self.globs: dict[str, tuple[Glob, _Node]] = {}
        self.one: _Node | None = None
        self.any: _Node | None = None  # after ``**``
        self.loops = loops
        self.ends: list[int] = []
        # Filled when the tree is complete, for whoever enters here: the nodes that it is in
        # then, and the patterns that match whatever comes next.
        self.opens: tuple[_Node, ...] = ()
        self.settles: tuple[int, ...] = ()

    def child(self, segment: Segment) -> _Node:
        if segment is Wild.ANY:
            if self.loops:
                return self  # ``**/**`` is ``**``
            self.any = self.any or _Node(loops=True)
            return self.any
        if segment is Wild.ONE:
            self.one = self.one or _Node()
            return self.one
        if isinstance(segment, Glob):
            key = repr((segment.first, segment.middle, segment.least, segment.last))
            return self.globs.setdefault(key, (segment, _Node()))[1]
        return self.literals.setdefault(str(segment), _Node())

    def complete(self) -> None:
        """Fill ``opens`` and ``settles`` from the leaves up."""
        for child in (*self.literals.values(), *(node for _, node in self.globs.values())):
            child.complete()
        if self.one is not None:
            self.one.complete()
        opens: tuple[_Node, ...] = (self,)
        if self.any is not None:
            self.any.complete()
            opens += self.any.opens
            self.settles = self.any.settles
        if self.loops:
            self.settles = tuple(self.ends)
            if not (self.literals or self.globs or self.one or self.any):
                opens = ()
        self.opens = opens


class Paths:
    """The numbers of the patterns (as given) that a path matches. Immutable."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._everywhere: list[int] = []
        self._root = _Node()
        for number, pattern in enumerate(patterns):
            segments = parse(pattern)
            if segments == (Wild.ANY,):
                self._everywhere.append(number)
                continue
            node = self._root
            for segment in segments:
                node = node.child(segment)
            node.ends.append(number)
        self._root.complete()

    def match(self, path: str) -> list[int]:
        """In ascending order. Linear in the path, whatever it and the patterns are."""
        if path[:1] != "/":
            return self._everywhere
        found = list(self._root.settles)
        active: Iterable[_Node] = self._root.opens
        for segment in path[1:].split("/"):
            after: dict[_Node, None] = {}
            for node in active:
                if node.loops:
                    after[node] = None
                entered = node.literals.get(segment)
                if entered is not None:
                    found += entered.settles
                    for opened in entered.opens:
                        after[opened] = None
                if segment and node.one is not None:
                    found += node.one.settles
                    for opened in node.one.opens:
                        after[opened] = None
                for glob, entered in node.globs.values() if node.globs else ():
                    if glob.matches(segment):
                        found += entered.settles
                        for opened in entered.opens:
                            after[opened] = None
            active = after
            if not after:
                break
        for node in active:
            if not node.loops:
                found += node.ends
        if not found:
            return self._everywhere
        return sorted({*found, *self._everywhere})
