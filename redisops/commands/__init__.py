"""Commands as people type them: taken apart, judged by role, run within bounds, shown.

``parse`` makes arguments of a line; ``Commands(redis)`` reads the server's command table,
judges a command, measures what it would cost and runs it. Nothing is sent that ``judge`` does
not allow.
"""

from redisops.commands.checking import check_of
from redisops.commands.line import BadLine, join, parse, spell
from redisops.commands.losses import Loss, losses
from redisops.commands.packing import pack, unpack
from redisops.commands.policy import ANY_KEY, Verdict, judge, standing
from redisops.commands.refusals import Refusal
from redisops.commands.replies import Limits, Reader, Reply
from redisops.commands.running import Answer, AsyncCommands, Commands, NodeWanted
from redisops.commands.secrets import hushed, masked
from redisops.commands.shapes import as_csv, as_json, text
from redisops.commands.table import Command, Doc, Table

__all__ = [
    "ANY_KEY",
    "Answer",
    "AsyncCommands",
    "BadLine",
    "Command",
    "Commands",
    "Doc",
    "Limits",
    "Loss",
    "NodeWanted",
    "Reader",
    "Refusal",
    "Reply",
    "Table",
    "Verdict",
    "as_csv",
    "as_json",
    "check_of",
    "hushed",
    "join",
    "judge",
    "losses",
    "masked",
    "pack",
    "parse",
    "spell",
    "standing",
    "text",
    "unpack",
]
