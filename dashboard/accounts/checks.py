"""System checks for what Django's own deployment checks do not look at."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from dashboard import home
from redisops.contrib.django.cache import RedisCache
from redisops.contrib.django.sessions import SessionStore


@register(Tags.security)
def nothing_unpickles(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Whoever can write to home Redis must not be able to run code here."""
    found = []
    for alias, options in settings.CACHES.items():
        if not issubclass(import_string(options["BACKEND"]), RedisCache):
            hint = 'Use "redisops.contrib.django.cache.RedisCache".'
            found.append(Error(f'cache "{alias}" may pickle', hint=hint, id="accounts.E001"))
    engine = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    if not issubclass(engine, SessionStore):
        hint = 'Use SESSION_ENGINE = "dashboard.accounts.sessions".'
        found.append(Error("the session engine is not sealed", hint=hint, id="accounts.E002"))
    if settings.SESSION_SERIALIZER != "django.contrib.sessions.serializers.JSONSerializer":
        found.append(Error("SESSION_SERIALIZER must be JSON", id="accounts.E003"))
    if set(settings.CELERY_ACCEPT_CONTENT) != {"json"}:
        found.append(Error("Celery must accept JSON only", id="accounts.E004"))
    return found


@register(Tags.security)
def sessions_end(app_configs: Any, **kwargs: Any) -> list[Error]:
    """The two expiries make sense together."""
    idle, absolute = settings.SESSION_COOKIE_AGE, settings.SESSION_ABSOLUTE_AGE
    if 60 <= idle <= absolute:
        return []
    hint = "SESSION_IDLE_SECONDS is at least 60 and at most SESSION_ABSOLUTE_SECONDS."
    message = f"sessions would end after {idle} s idle and {absolute} s in all"
    return [Error(message, hint=hint, id="accounts.E005")]


@register(Tags.security, deploy=True)
def keys_are_separate(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """One key for signing and another for what is kept encrypted, so that each can be replaced."""
    if not settings.PRODUCTION:
        return []
    derived = home.derived_key(settings.SECRET_KEY, "redisops.at-rest")
    if derived not in settings.ENCRYPTION_KEYS:
        return []
    message = "what is kept encrypted depends on SECRET_KEY: replacing it would lose it"
    hint = "Set REDISOPS_ENCRYPTION_KEYS to the base64 of 32 random bytes."
    return [CheckWarning(message, hint=hint, id="accounts.W001")]


@register(Tags.security, deploy=True)
def origins_are_named(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """A wildcard among the trusted origins undoes the CSRF check for every sibling host."""
    return [
        CheckWarning(f'CSRF_TRUSTED_ORIGINS has the wildcard "{origin}"', id="accounts.W002")
        for origin in settings.CSRF_TRUSTED_ORIGINS
        if "*" in origin
    ]
