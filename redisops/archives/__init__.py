"""Keys as files: written by an export, read back by an import, exact to the byte.

Two formats. **JSON lines** (``LinesWriter``, ``LinesReader``) is for people and other programs: a
line for each key, several for a large one. It has no consumer groups and no expiry of single hash
fields. A **DUMP archive** (``DumpWriter``, ``DumpReader``) has the server's own payloads: all of a
value, for a server of the same version or a newer one.

``Reading`` takes keys from a server in bounded pages and ``Putting`` puts them back. Writers and
readers hold one record at a time; their ``state`` is JSON, and another process goes on from it.
Damaged, cut off, foreign and hostile files are refused with the record's number (:class:`Damaged`).
"""

from redisops.archives.dumped import DumpReader, DumpWriter
from redisops.archives.lines import LinesReader, LinesWriter
from redisops.archives.model import (
    DUMP,
    LINES,
    Damaged,
    Dropped,
    Header,
    Large,
    Part,
    Unfit,
    format_of,
)
from redisops.archives.putting import AsyncPutting, Put, Putting, staging
from redisops.archives.reading import AsyncReading, Reading

__all__ = [
    "DUMP",
    "LINES",
    "AsyncPutting",
    "AsyncReading",
    "Damaged",
    "Dropped",
    "DumpReader",
    "DumpWriter",
    "Header",
    "Large",
    "LinesReader",
    "LinesWriter",
    "Part",
    "Put",
    "Putting",
    "Reading",
    "Unfit",
    "format_of",
    "staging",
]
