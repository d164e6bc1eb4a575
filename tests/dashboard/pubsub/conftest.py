"""What the tests of the socket share with those of other live things."""

from __future__ import annotations

import pytest
from channels.db import database_sync_to_async
from django.conf import settings as django_settings

from dashboard.routing import sockets
from tests.dashboard.servers.conftest import hub as hub  # the fixture
from tests.dashboard.servers.sockets import Socket

HERE = "http://testserver"


@pytest.fixture
def dial(client_for, settings):
    """``await dial(user, path)``: a socket that is not connected yet."""
    settings.ALLOWED_HOSTS = ["testserver"]

    def cookie(user):
        client = client_for(user)
        name = django_settings.SESSION_COOKIE_NAME
        return f"{name}={client.cookies[name].value}".encode()

    async def make(user, address):
        signed_in = await database_sync_to_async(cookie)(user)
        headers = [(b"host", b"testserver"), (b"cookie", signed_in), (b"origin", HERE.encode())]
        return Socket(sockets, address, headers)

    return make
