"""Every address of the console, and who may open it: default deny, one table.

A new route fails here until it is entered with its rule; a rule that changes fails too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dashboard.accounts.models import Team
from dashboard.accounts.roles import Role
from dashboard.servers import access, clients, home, listing
from redisops import keys

ANYBODY = "anybody"
# Everybody who is signed in; the page shows each person what is theirs.
SIGNED_IN = "signed in"
# servers:check asks by itself: for servers.create, or for servers.change of the server it names.
ROUTES = {
    "ui:healthz": ANYBODY,
    "ui:readyz": ANYBODY,
    "ui:metrics": ANYBODY,
    "ui:help": SIGNED_IN,
    "ui:palette": SIGNED_IN,
    "ui:theme": SIGNED_IN,
    "servers:fleet": SIGNED_IN,
    "servers:index": SIGNED_IN,
    "servers:live": "servers.live",
    "servers:create": "servers.create",
    "servers:check": SIGNED_IN,
    "servers:show": "servers.view",
    "servers:series": "servers.view",
    "servers:update": "servers.change",
    "servers:delete": "servers.delete",
    "servers:stop": "servers.stop",
    "servers:resume": "servers.stop",
    "servers:rights": "servers.change",
    "servers:grants": "servers.grant",
    "servers:grant": "servers.grant",
    "accounts:login": ANYBODY,
    "accounts:logout": SIGNED_IN,
    "accounts:account": SIGNED_IN,
    "accounts:password": SIGNED_IN,
    "accounts:sessions": SIGNED_IN,
    "accounts:tokens": SIGNED_IN,
    "accounts:token_revoke": SIGNED_IN,
    "accounts:users": "accounts.view",
    "accounts:create": "accounts.create",
    "accounts:user": "accounts.view",
    "accounts:user_state": "accounts.disable",
    "accounts:user_admin": "accounts.admin",
    "accounts:user_password": "accounts.password",
    "accounts:user_sessions": "accounts.revoke",
    "accounts:teams": "accounts.team",
    "accounts:team": "accounts.team",
    "accounts:team_members": "accounts.team",
    "accounts:team_prefixes": "accounts.team",
    "accounts:team_delete": "accounts.team",
    # By a token of its own, never by a session.
    "api:check_limits": ANYBODY,
    "api:acquire_places": ANYBODY,
    "api:renew_places": ANYBODY,
    "api:release_places": ANYBODY,
    "api:register_instances": ANYBODY,
    "api:beat_instances": ANYBODY,
    "api:drain_instances": ANYBODY,
    "api:http_sd": ANYBODY,
    "api:service": ANYBODY,
    "api:watch_service": ANYBODY,
    "api:instance": ANYBODY,
    "api:openapi": ANYBODY,
    "api:docs": SIGNED_IN,
    "audit:index": SIGNED_IN,
    "audit:export": SIGNED_IN,
    "audit:show": SIGNED_IN,
    "console:index": "console.run",
    "console:run": "console.run",
    "console:guide": "console.run",
    "console:lines": "console.run",
    "console:forget": "console.run",
    "console:export": "console.run",
    "jobs:index": "jobs.view",
    "jobs:show": "jobs.view",
    "jobs:parts": "jobs.view",
    "jobs:pause": "jobs.control",
    "jobs:resume": "jobs.control",
    "jobs:cancel": "jobs.control",
    "keys:index": "keys.browse",
    "keys:show": "keys.browse",
    "keys:download": "keys.download",
    "undo:index": "undo.view",
    "undo:show": "undo.view",
    "undo:restore": "undo.restore",
    "keys:analysis": "keys.browse",
    "keys:analysis_tree": "keys.browse",
    "keys:analysis_visit": "keys.survey",
    "keys:count": "keys.survey",
    "keys:create": "keys.change",
    "keys:edit": "keys.change",
    "keys:delete": "keys.change",
    "keys:long_name": "keys.change",
    "keys:opened": "keys.browse",
    "keys:views": "keys.browse",
    "keys:save_view": "keys.browse",
    "keys:delete_view": "keys.browse",
    "keys:forget_recent": "keys.browse",
    "keys:export": "keys.export",
    "keys:export_file": "keys.export",
    "keys:export_remove": "keys.export",
    "keys:import": "keys.import",
    "keys:import_file": "keys.import",
    "keys:import_remove": "keys.import",
    "keys:bulk": "keys.export",
    "keys:bulk_list": "keys.export",
    "keys:bulk_again": "keys.export",
    "keys:bulk_stop": "keys.export",
    "keys:bulk_leave_out": "keys.export",
    "keys:bulk_names": "keys.export",
    "keys:bulk_failed": "keys.bulk",
    "keys:bulk_taken": "keys.bulk",
    "keys:search": "keys.search",
    "keys:search_result": "keys.search",
    "keys:search_stop": "keys.search",
    "pubsub:index": "pubsub.listen",
    "pubsub:publish": "pubsub.publish",
    "streams:index": "streams.read",
    "streams:show": "streams.read",
    "streams:entry": "streams.read",
    "streams:add": "streams.add",
    "streams:trim": "streams.trim",
    "streams:groups": "streams.read",
    "streams:group_create": "streams.change",
    "streams:group": "streams.read",
    "streams:group_change": "streams.change",
    "streams:group_act": "streams.change",
    "streams:dead_letters": "streams.read",
    "streams:dead_replay": "streams.change",
    "caching:eviction": "caching.read",
    "caching:eviction_change": "caching.eviction",
    "caching:eviction_rewrite": "caching.eviction",
    "caching:advice": "caching.read",
    "caching:index": "caching.read",
    "caching:declare": "caching.read",
    "caching:publish": "caching.change",
    "caching:show": "caching.read",
    "caching:live": "caching.read",
    "caching:policy": "caching.read",
    "caching:save": "caching.change",
    "caching:sentence": "caching.read",
    "caching:give_back": "caching.change",
    "caching:versions": "caching.read",
    "caching:roll_back": "caching.change",
    "caching:invalidate": "caching.change",
    "caching:entries": "caching.read",
    "caching:entry": "caching.read",
    "limits:index": "limits.read",
    "limits:create": "limits.edit",
    "limits:sentence": "limits.read",
    "limits:match": "limits.read",
    "limits:export": "limits.read",
    "limits:import": "limits.edit",
    "limits:publish": "limits.edit",
    "limits:settings": "limits.settings",
    "limits:pending": "limits.read",
    "limits:approve": "limits.approve",
    "limits:reject": "limits.approve",
    "limits:withdraw": "limits.edit",
    "limits:show": "limits.read",
    "limits:update": "limits.edit",
    "limits:mode": "limits.edit",
    "limits:delete": "limits.edit",
    "limits:restore": "limits.edit",
    "limits:versions": "limits.read",
    "limits:roll_back": "limits.edit",
    "limits:try": "limits.read",
    "limits:try_new": "limits.read",
    "limits:use": "limits.read",
    "limits:use_series": "limits.read",
    "limits:subjects": "limits.read",
    "limits:subject": "limits.read",
    "limits:subject_reset": "limits.edit",
    "limits:subject_except": "limits.edit",
    "limits:subject_lift": "limits.edit",
    "limits:shadow": "limits.read",
    "limits:enforce": "limits.edit",
    "services:wall": "services.read",
    "services:journal": "services.read",
    "services:service": "services.read",
    "services:instance": "services.read",
    "services:drain": "services.act",
    "services:maintain": "services.act",
    "services:resume": "services.act",
    "services:reweigh": "services.act",
    "services:deregister": "services.act",
    "services:repair": "services.act",
    "redis_sessions:index": "sessions.read",
    "redis_sessions:show": "sessions.read",
    "redis_sessions:end": "sessions.revoke",
    "leaderboards:index": "leaderboards.read",
    "leaderboards:show": "leaderboards.read",
    "leaderboards:declared": "leaderboards.read",
    "leaderboards:scores": "leaderboards.read",
    "leaderboards:export": "leaderboards.read",
    "leaderboards:history": "leaderboards.read",
    "leaderboards:change": "leaderboards.change",
    "leaderboards:import": "leaderboards.change",
    "leaderboards:end": "leaderboards.change",
    "leaderboards:create": "leaderboards.declare",
    "leaderboards:update": "leaderboards.declare",
    "leaderboards:delete": "leaderboards.delete",
    "leaderboards:uniques": "leaderboards.read",
    "leaderboards:unique": "leaderboards.read",
    "services:checks": "services.read",
    "services:check_write": "services.check",
    "services:check_now": "services.check",
    "services:notices": "services.read",
    "services:notice_create": "services.notify",
    "services:notice_update": "services.notify",
    "services:notice_delete": "services.notify",
    "services:notice_test": "services.notify",
    "services:notice_again": "services.notify",
    "services:notice_mute": "services.notify",
    "services:notice_unmute": "services.notify",
}
# What the console notes about reading: sessions in use, downloads in the audit.
BOOKS = re.compile(r"\"(audit_\w+|\w*session\w*)\"")
RULED = sorted(name for name, rule in ROUTES.items() if rule not in (ANYBODY, SIGNED_IN))


def routes() -> Iterator[tuple[str, URLPattern]]:
    """Every route that Django knows, by its full name."""

    def walk(patterns: list[Any], namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, pattern.namespace or namespace)
            else:
                yield f"{namespace}:{pattern.name}", pattern

    yield from walk(get_resolver().url_patterns, "")


LIVE = dict(routes())


def rule_of(pattern: URLPattern) -> str:
    if getattr(pattern.callback, "login_required", True) is False:
        return ANYBODY
    return getattr(pattern.callback, "permission", SIGNED_IN)


def address(name: str, **known: Any) -> str:
    """The route's address, with whatever it wants to be told."""
    wanted = LIVE[name].pattern.converters
    values = {"slug": "shop", "pk": 1, "number": 1, "key": b"cart:1", "do": "edit"}
    values |= {"name": "orders", "subject": "ann", "entry": "1-1", "group": b"mailer", **known}
    values |= {"delivery": "00000000-0000-4000-8000-000000000000"}
    values |= {"service": "orders", "instance": "o1", "namespace": "catalog"}
    prefix = {"slug": "shop"} if "<slug:slug>" in route_text(name) else {}
    return reverse(name, kwargs={**prefix, **{one: values[one] for one in wanted}})


def route_text(name: str) -> str:
    resolver = reverse_pattern(get_resolver(), name)
    assert resolver is not None
    return resolver


def reverse_pattern(resolver: URLResolver, name: str, above: str = "") -> str | None:
    for pattern in resolver.url_patterns:
        text = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found = reverse_pattern(pattern, name, text)
            if found is not None:
                return found
        elif pattern is LIVE[name]:
            return text
    return None


def is_per_server(name: str) -> bool:
    return "<slug:slug>" in route_text(name)


def test_every_route_is_in_the_table_with_its_rule():
    assert {name: rule_of(pattern) for name, pattern in LIVE.items()} == ROUTES


def test_names_are_unique():
    names = [name for name, _ in routes()]

    assert sorted(names) == sorted(set(names))


@contextmanager
def undone() -> Iterator[None]:
    """What is done within is taken back, in SQL and in this process's memory: of many pages, one
    must not find what another left."""
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    finally:
        clients.forget_all()
        listing.forget_states()


def test_nobody_opens_a_page_without_signing_in(client_for):
    browser, login = client_for(None), reverse("accounts:login")
    for name in sorted(name for name in ROUTES if ROUTES[name] != ANYBODY):
        for method in ("get", "post", "put", "delete", "options"):
            answer = getattr(browser, method)(address(name))

            assert answer.status_code in (302, 405), (name, method)
            assert answer.status_code == 405 or answer["Location"].startswith(login), name


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_server_page_is_hidden_from_strangers_and_its_right_named_to_others(
    method, server, stranger, viewer, operator, client_for
):
    people = [(viewer, Role.VIEWER), (operator, Role.OPERATOR)]
    hidden, shown = client_for(stranger), [(client_for(one), role) for one, role in people]
    for name in (name for name in RULED if is_per_server(name)):
        needed = access.right(ROUTES[name]).role
        with undone():
            status = getattr(hidden, method)(address(name)).status_code
            assert status in (404, 405), f"{name}: a stranger learns that the server exists"
        for browser, role in shown:
            with undone():
                answer = getattr(browser, method)(address(name))
            if role.allows(needed):
                assert answer.status_code not in (403, 500), (name, role)
            else:
                assert answer.status_code in (403, 405), (name, role)
                assert answer.status_code == 405 or needed.label.encode() in answer.content, name


def test_a_console_page_refuses_who_is_no_admin(operator, stranger, client_for):
    Team.objects.create(pk=1, name="Shop")
    people = [client_for(operator), client_for(stranger)]
    asked = [name for name in RULED if not is_per_server(name) and ROUTES[name] != "accounts.team"]

    assert asked
    for name in asked:
        for browser in people:
            for method in ("get", "post"):
                with undone():
                    answer = getattr(browser, method)(address(name))
                assert answer.status_code in (302, 403, 404, 405), (name, method)


def test_nothing_is_changed_by_looking(server, owner, data, client_for):
    data.set("cart:1", "x")
    home.ensure()  # The console writes down its own Redis once; any page may be the first.
    browser = client_for(owner)
    kept = data.execute_command("DEBUG", "DIGEST")

    for name in sorted(ROUTES):
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(address(name))

        wrote = [
            query["sql"]
            for query in queries
            if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")
            and not BOOKS.search(query["sql"])
        ]
        assert answer.status_code < 500, name
        assert not wrote, name
        assert data.execute_command("DEBUG", "DIGEST") == kept, name


@pytest.mark.parametrize("key", [b"", b"a/b", b"..", b"\xff\x00", "ключ".encode(), b"x" * 2000])
def test_any_key_has_an_address(key):
    assert keys.from_url(keys.to_url(key)) == key
    assert reverse("keys:show", kwargs={"slug": "shop", "key": key})
