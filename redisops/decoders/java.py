"""Java serialization through javaobj's second parser, as plain values for `show`.

javaobj's third parser needs Python 3.12; its first logs a hex dump of whatever it cannot read.
No transformers are given: the parser then builds no bridge objects, whose hashing and comparing
hostile streams could use, and everything arrives as class names, fields and annotations.
"""

from __future__ import annotations

from typing import Any

from redisops.decoders.budget import MeteredFile
from redisops.decoders.show import Named, Pairs

_LISTS = {"ArrayList", "LinkedList", "Vector", "Stack", "ArrayDeque", "HashSet", "LinkedHashSet"}
_MAPS = {"HashMap", "LinkedHashMap", "TreeMap", "Hashtable"}
_BOXES = {"Boolean", "Byte", "Character", "Double", "Float", "Integer", "Long", "Short"}


def read(file: MeteredFile) -> Any:
    """The stream's objects: one alone, several as a list. Raises whatever javaobj raises."""
    from javaobj.v2 import beans
    from javaobj.v2.core import JavaStreamParser

    content = JavaStreamParser(file, []).run()
    plain = _Plain(beans)
    values = [plain.of(entry, 0) for entry in content]
    return values[0] if len(values) == 1 else values


class _Plain:
    """Turns beans into plain values; an object met again is a reference to its first place."""

    def __init__(self, beans: Any) -> None:
        self._beans = beans
        self._numbers: dict[int, int] = {}

    def of(self, value: Any, level: int) -> Any:
        beans = self._beans
        if isinstance(value, beans.JavaString):
            return str(value.value)
        if isinstance(value, beans.BlockData):
            return bytes(value.data)
        if isinstance(value, beans.JavaEnum):
            return Named(str(value.classdesc.name), str(value.value.value))
        if isinstance(value, beans.JavaClass | beans.JavaClassDesc):
            return Named("class", str(value.name))
        if isinstance(value, beans.ExceptionState):
            return Pairs([("exception", self.of(value.exception_object, level + 1))])
        if not isinstance(value, beans.JavaArray | beans.JavaInstance):
            return value
        if level > 200:
            return Named("…", "nested deeper")
        if id(value) in self._numbers:
            return Named("reference", f"object {self._numbers[id(value)]} above")
        self._numbers[id(value)] = len(self._numbers) + 1
        if isinstance(value, beans.JavaArray):
            if value.classdesc.name == "[B":
                return bytes(byte & 0xFF for byte in value.data)
            return [self.of(entry, level + 1) for entry in value.data]
        return self.instance(value, level)

    def instance(self, value: Any, level: int) -> Any:
        full = str(value.classdesc.name)
        package, _, name = full.rpartition(".")
        fields = [
            (field, entry) for owned in value.field_data.values() for field, entry in owned.items()
        ]
        if package == "java.lang" and name in _BOXES and len(fields) == 1:
            return fields[0][1]
        written = [entry for entries in value.annotations.values() for entry in entries]
        objects = [
            self.of(entry, level + 1)
            for entry in written
            if not isinstance(entry, self._beans.BlockData)
        ]
        if package == "java.util" and name in _LISTS and written:
            return objects
        if package == "java.util" and name in _MAPS and written and len(objects) % 2 == 0:
            return Pairs(list(zip(objects[::2], objects[1::2], strict=True)))
        pairs = [(str(field.name), self.of(entry, level + 1)) for field, entry in fields]
        if written:
            pairs.append(("written by the class", [self.of(entry, level + 1) for entry in written]))
        return Pairs(pairs, name=full)
