"""Lines taken apart as redis-cli does it, and put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops.commands import BadLine, join, parse
from redisops.commands.line import LONGEST_LINE, MOST_ARGUMENTS


@pytest.mark.parametrize(
    "line, args",
    [
        ("", []),
        ("  GET \t a ", [b"GET", b"a"]),
        (r'SET a "x\x00\xFF\n\t\"\\ y"', [b"SET", b"a", b'x\x00\xff\n\t"\\ y']),
        (r"SET a 'x\n \' y'", [b"SET", b"a", b"x\\n ' y"]),
        ("SET \"\" ''", [b"SET", b"", b""]),
        (r'ECHO "\q\xZZ"', [b"ECHO", b"qxZZ"]),
        ("GET ключ", [b"GET", "ключ".encode()]),
        ('a"b c"', [b"ab c"]),
    ],
)
def test_a_line_becomes_arguments(line, args):
    assert parse(line) == args


@pytest.mark.parametrize(
    "line, column",
    [('GET "a', 5), ("GET 'a\\'", 5), ('GET "a"b', 8), ("GET 'a''b'", 8), ('GET "a\\"', 5)],
)
def test_an_error_points_at_its_column(line, column):
    with pytest.raises(BadLine) as caught:
        parse(line)

    assert caught.value.column == column


def test_too_much_is_refused():
    with pytest.raises(BadLine):
        parse("x" * (LONGEST_LINE + 1))
    with pytest.raises(BadLine):
        parse("x " * (MOST_ARGUMENTS + 1))


@given(st.lists(st.binary(max_size=12), max_size=4))
def test_any_arguments_survive_being_written_as_a_line(args):
    line = join(args)

    assert parse(line) == args
    assert "\n" not in line
