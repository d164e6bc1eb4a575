"""The first admin, the tidying up, the roles, the checks."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from dashboard.accounts import agents, checks, passwords
from dashboard.accounts.models import SignInAttempt, User
from dashboard.accounts.roles import Role
from dashboard.accounts.tasks import tidy
from dashboard.audit.models import Entry


def ensure_admin(*arguments):
    out = StringIO()
    call_command("ensure_admin", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_first_admin_gets_a_password_that_works(monkeypatch):
    monkeypatch.delenv("REDISOPS_ADMIN_PASSWORD", raising=False)

    told = dict(line.split("=") for line in ensure_admin().splitlines())

    admin = User.objects.get()
    assert told["USERNAME"] == admin.username == "admin"
    assert admin.is_superuser and admin.check_password(told["PASSWORD"])
    assert Entry.objects.get().actor == "manage.py ensure_admin"
    assert "PASSWORD" not in ensure_admin()
    admin.refresh_from_db()
    assert admin.check_password(told["PASSWORD"])


@pytest.mark.django_db
def test_a_chosen_password_is_used_and_never_printed(monkeypatch):
    monkeypatch.setenv("REDISOPS_ADMIN_PASSWORD", "my own choice 1")

    told = json.loads(ensure_admin("--json"))

    assert told == {"created": True, "username": "admin", "password": ""}
    assert User.objects.get().check_password("my own choice 1")
    assert json.loads(ensure_admin("--json"))["created"] is False


@pytest.mark.django_db
def test_a_disabled_admin_does_not_count(monkeypatch):
    monkeypatch.delenv("REDISOPS_ADMIN_PASSWORD", raising=False)
    User.objects.create_superuser("admin", is_active=False)

    told = json.loads(ensure_admin("--json"))

    assert told["created"] and User.objects.get().check_password(told["password"])


@pytest.mark.django_db
def test_tidying_up_removes_what_no_limit_counts():
    now = timezone.now()
    for age in (1, 23, 25):
        SignInAttempt.objects.create(at=now - timedelta(hours=age), account="a", address="b")

    tidy()

    assert SignInAttempt.objects.count() == 2


def test_roles_are_ordered():
    assert Role.ADMIN.allows(Role.VIEWER) and Role.OPERATOR.allows("operator")
    assert not Role.VIEWER.allows(Role.OPERATOR)
    assert Role.highest([Role.VIEWER, Role.ADMIN]) == Role.ADMIN
    assert Role.highest([]) is None


def test_generated_passwords_differ_and_can_be_read_aloud():
    made = {passwords.generated() for _ in range(100)}

    assert len(made) == 100
    assert not set("".join(made)) & set("0O1lI")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
         "Edge 130 on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
         "Version/18.0 Mobile/15E148 Safari/604.1", "Safari 18 on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
         "Firefox 131 on Linux"),
        ("<script>", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_browsers_have_names(agent, words):
    assert agents.words(agent) == words


def test_the_settings_never_pickle(settings):
    assert checks.nothing_unpickles(None) == []

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.SESSION_SERIALIZER = "somebody.PickleSerializer"
    settings.CELERY_ACCEPT_CONTENT = ["json", "pickle"]

    found = {message.id for message in checks.nothing_unpickles(None)}
    assert found == {"accounts.E001", "accounts.E002", "accounts.E003", "accounts.E004"}


def test_expiries_that_make_no_sense_are_refused(settings):
    assert checks.sessions_end(None) == []

    settings.SESSION_ABSOLUTE_AGE = settings.SESSION_COOKIE_AGE - 1

    assert [message.id for message in checks.sessions_end(None)] == ["accounts.E005"]


def test_production_wants_separate_keys(settings):
    settings.PRODUCTION = True

    assert [message.id for message in checks.keys_are_separate(None)] == ["accounts.W001"]

    settings.ENCRYPTION_KEYS = ["QUFB" * 11]
    assert checks.keys_are_separate(None) == []


def test_a_wildcard_origin_is_warned_of(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.org"]

    assert [message.id for message in checks.origins_are_named(None)] == ["accounts.W002"]
