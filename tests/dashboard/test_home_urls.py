"""Home in the spellings of Celery and of the channel layer: the same server, the same trust."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import home
from tests.servers import REDIS, VALKEY, Certificates, RedisProcess, free_port, tls_arguments

ROOT = Path(__file__).resolve().parents[2]
SEND = """
import django; django.setup()
from dashboard.celery import app
app.conf.broker_transport_options["socket_timeout"] = 2
app.send_task("accounts.tidy", retry=False)
"""
TELL = """
import asyncio, django; django.setup()
from channels.layers import get_channel_layer
asyncio.run(get_channel_layer().group_send("live.control", {"type": "live.control"}))
"""


def run(program: str, url: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **settings}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**environment, "REDIS_URL": url},
    )  # fmt: skip


def test_jobs_and_messages_reach_the_database_of_a_socket_with_a_password(tmp_path):
    path = tmp_path / "home.sock"
    with RedisProcess("--unixsocket", str(path), "--requirepass", "p@ss", binary=VALKEY) as server:
        url = f"unix://default:p%40ss@{path}?db=3"
        for program in (SEND, TELL):
            done = run(program, url)
            assert done.returncode == 0, done.stderr[-2000:]
        with server.client(db=3, password="p@ss") as plain:
            assert plain.llen("redisops:console:celery:celery") == 1


@pytest.mark.skipif(REDIS is None, reason="needs a redis-server built with TLS")
@pytest.mark.parametrize("program", [SEND, TELL])
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, program):
    certificates, port = Certificates(tmp_path / "tls"), free_port()
    with RedisProcess(*tls_arguments(certificates, port), binary=REDIS):
        url = f"rediss://localhost:{port}/0"
        stranger = run(program, url)
        known = run(program, url, SSL_CERT_FILE=certificates.path("ca.crt"))

    assert stranger.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.stderr
    assert known.returncode == 0, known.stderr[-2000:]


def test_sentinels_get_every_login_and_the_same_encryption():
    url = "rediss+sentinel://ann:p%40ss@s1:26379,s2:26380/home/2?sentinel_password=hush"

    assert home.broker_url(url) == (
        "sentinel://ann:p%40ss@s1:26379/2;sentinel://ann:p%40ss@s2:26380/2"
    )
    to_sentinel = {"password": "hush", "ssl": True}
    assert home.broker_options(url) == {"master_name": "home", "sentinel_kwargs": to_sentinel}
    assert home.broker_tls(url) is not None
    assert home.channel_layer_host(url) == {
        "sentinels": [("s1", 26379), ("s2", 26380)],
        "master_name": "home", "db": 2, "username": "ann", "password": "p@ss", "ssl": True,
        "sentinel_kwargs": to_sentinel,
    }  # fmt: skip


def test_a_cluster_carries_messages_and_needs_another_broker():
    url = "redis+cluster://:p@n1:7000,n2:7001"

    assert home.channel_layer_host(url) == "redis://:p@n1:7000"
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL"):
        home.broker_url(url)


def test_who_says_how_to_verify_is_believed():
    assert home.broker_tls("rediss://h:1/0?ssl_cert_reqs=none") is None
    assert home.broker_tls("amqps://h:1") is None
