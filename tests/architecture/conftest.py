"""The cast of the console's tests, for those that open its pages."""

from tests.dashboard.conftest import (  # noqa: F401
    _clients_are_new,
    _home_is_empty,
    client_for,
    data,
    operator,
    owner,
    server,
    stranger,
    target,
    viewer,
)
