"""Every page under every fault: framed, explained, quick, and back by itself.

The console is real (Uvicorn, Celery, SQLite) and so are the servers. A page may answer 200 with
what is known, 403 when a right is missing, or 503; it always keeps its frame.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import SECONDS, SEED, Scene, patience
from tests.pages import listing, pages_of_key, plain_pages, post, serve
from tests.servers import busy, loading, until


@contextlib.contextmanager
def through_the_proxy(scene: Scene, kind: str, **options: object) -> Iterator[None]:
    scene.proxy.mode(kind, **options)
    try:
        yield
    finally:
        scene.proxy.heal()
        scene.proxy.drop()


@contextlib.contextmanager
def stopped(scene: Scene) -> Iterator[None]:
    scene.shop.pause()
    try:
        yield
    finally:
        scene.shop.resume()


@contextlib.contextmanager
def killed(scene: Scene) -> Iterator[None]:
    scene.shop.kill()
    try:
        yield
    finally:
        scene.shop.start()
        with scene.shop.client() as plain:
            for key, put in SEED.items():
                put(plain, key)
            serve(plain)


@contextlib.contextmanager
def password_changed(scene: Scene) -> Iterator[None]:
    with scene.shop.client() as plain:
        plain.config_set("requirepass", "another-password")
        plain.execute_command("AUTH", "another-password")
        plain.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try:
            yield
        finally:
            plain.config_set("requirepass", "")


@contextlib.contextmanager
def few_rights(scene: Scene) -> Iterator[None]:
    with scene.shop.client() as plain:
        plain.execute_command("ACL", "SETUSER", "keeper", "on", ">keep", "~*", "&*", "+@all")
        plain.execute_command("AUTH", "keeper", "keep")
        plain.execute_command("ACL", "SETUSER", "default", "-@all", "+ping", "+get")
        plain.execute_command("CLIENT", "KILL", "USER", "default")
        try:
            yield
        finally:
            plain.execute_command("ACL", "SETUSER", "default", "+@all")


@contextlib.contextmanager
def no_more_clients(scene: Scene) -> Iterator[None]:
    with scene.shop.client() as plain, contextlib.ExitStack() as held:
        plain.config_set("maxclients", 6)
        plain.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for _ in range(8):
            link = held.enter_context(socket.create_connection(("127.0.0.1", scene.shop.port)))
            link.settimeout(0.2)
        try:
            yield
        finally:
            plain.config_set("maxclients", 10000)


@contextlib.contextmanager
def without_its_primary(scene: Scene) -> Iterator[None]:
    with scene.shop.client() as plain:
        plain.config_set("replica-serve-stale-data", "no")
        plain.replicaof("127.0.0.1", 1)
        try:
            yield
        finally:
            plain.replicaof("NO", "ONE")
            plain.config_set("replica-serve-stale-data", "yes")


@contextlib.contextmanager
def full_and_read_only(scene: Scene) -> Iterator[None]:
    with scene.shop.client() as plain:
        plain.config_set("maxmemory", "1mb")
        plain.replicaof("127.0.0.1", 1)
        try:
            yield
        finally:
            plain.replicaof("NO", "ONE")
            plain.config_set("maxmemory", "0")


@contextlib.contextmanager
def a_script_runs(scene: Scene) -> Iterator[None]:
    with busy(scene.shop):
        yield


@contextlib.contextmanager
def loads(scene: Scene) -> Iterator[None]:
    with loading(scene.shop, keys=1000):
        yield
    with scene.shop.client() as plain:
        plain.flushall()
        for key, put in SEED.items():
            put(plain, key)
        serve(plain)


FAULTS: dict[str, Callable[[Scene], contextlib.AbstractContextManager[None]]] = {
    "stopped": stopped,
    "killed": killed,
    "half a second late": lambda scene: through_the_proxy(scene, "latency", seconds=0.5),
    "reset in the reply": lambda scene: through_the_proxy(scene, "reset_after", count=20),
    "replies lost": lambda scene: through_the_proxy(scene, "lose_reply"),
    "replies trickle": lambda scene: through_the_proxy(scene, "trickle", seconds=0.05),
    "swallowed": lambda scene: through_the_proxy(scene, "blackhole"),
    "refused": lambda scene: through_the_proxy(scene, "down"),
    "password changed": password_changed,
    "few rights": few_rights,
    "no more clients": no_more_clients,
    "without its primary": without_its_primary,
    "full and read-only": full_and_read_only,
    "a script runs": a_script_runs,
    "loading": loads,
}


# A page of each kind: the rest comes back with them, as the first faults have shown.
SOME = ["/servers/shop/", "/servers/shop/keys/", *pages_of_key("shop", b"a hash", ("", "edit/"))]
# Some of those that ask the shop nothing: the faults that are not alike visit them all.
OWN = ["/", "/servers/", "/servers/other/keys/", "/live/", "/servers/shop/jobs/"]
ALIKE = set(FAULTS) - {"stopped", "killed", "loading", "few rights"}


def assert_framed(path: str, answer: object, took: float) -> None:
    text = answer.text  # type: ignore[attr-defined]
    status = answer.status_code  # type: ignore[attr-defined]
    assert status in (200, 403, 503), f"{path}: {status} {text[:300]}"
    assert took < SECONDS * patience(), f"{path} took {took:.2f} s"
    assert "<main" in text and "Redisops" in text, f"{path} lost its frame: {text[:300]}"
    assert "Traceback" not in text


@pytest.mark.parametrize("fault", FAULTS)
def test_each_page_stays_composed_and_comes_back(scene, fault):
    scene.recovers(SOME, within=8)

    with FAULTS[fault](scene):
        for path, answer, took in scene.get_each(scene.shop_pages()):
            assert_framed(path, answer, took)
        for path, answer, took in scene.get_each(OWN if fault in ALIKE else scene.own_pages()):
            assert_framed(path, answer, took)
            assert answer.status_code == 200, f"{path} suffers from the shop: {answer.status_code}"

    scene.recovers(SOME if fault in ALIKE else scene.shop_pages(), within=5)


@pytest.mark.parametrize("fault", ["stopped", "refused", "few rights"])
def test_a_fragment_says_what_is_wrong_too(scene, fault):
    scene.recovers(SOME, within=8)

    with FAULTS[fault](scene):
        answer, took = scene.get("/servers/shop/keys/", **{"HX-Request": "true"})

        assert answer.status_code in (200, 403, 503)
        assert took < SECONDS * patience()
        assert "<html" not in answer.text
        assert answer.text.strip()

    scene.recovers(SOME, within=5)


def test_a_narrow_user_reads_every_page_and_is_told_each_missing_right(scene):
    """The console has never seen this server before; what changes is refused by its right."""
    person, here = scene.person, "/servers/narrow/"
    post(person, f"{here}analysis/", to=f"{here}analysis/count/")
    listed = listing(person, "narrow", [b"a string", b"a list"])
    reading = [
        *plain_pages("narrow"), f"{listed}?do=delete", f"{listed}names/",
        *(pages_of_key("narrow", key, ("", "delete/"))[0] for key in SEED),
    ]  # fmt: skip

    told = {path: answer for path, answer, _ in scene.get_each(reading)}
    edit = person.get(pages_of_key("narrow", b"a hash", ("edit/",))[0])
    until(lambda: "6 keys hold" in person.get(f"{here}analysis/").text, "nothing was counted", 30)

    assert {path: answer.status_code for path, answer in told.items()} == dict.fromkeys(told, 200)
    assert "+evalsha_ro" in told[f"{here}keys/"].text
    assert "&#x27;info&#x27;" in told[here].text
    assert "+command" in told[f"{here}console/"].text
    assert edit.status_code == 403 and "+evalsha_ro" in edit.text


HOME_FAULTS = ["stopped", "killed", "flushed"]


@pytest.mark.parametrize("fault", HOME_FAULTS)
def test_people_work_on_while_home_is_away(scene, fault):
    # What live pages read is told on home alone.
    on_home = ["/live/", "/servers/home/keys/"]
    pages = [path for path in (*scene.shop_pages(), *scene.own_pages()) if path not in on_home]
    scene.recovers([*SOME, *on_home], within=8)
    home = scene.home
    if fault == "stopped":
        home.pause()
    elif fault == "killed":
        home.kill()
    else:
        with home.client() as plain:
            plain.flushall()

    try:
        for path, answer, took in scene.get_each(pages):
            assert_framed(path, answer, took)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
        for path in on_home:
            assert_framed(path, *scene.get(path))
        signed_in = scene.console.visit()
        assert signed_in.get("/account/").status_code == 200
        signed_in.close()
    finally:
        if fault == "stopped":
            home.resume()
        elif fault == "killed":
            home.start()

    scene.recovers([*pages, "/servers/home/", *on_home], within=4)
