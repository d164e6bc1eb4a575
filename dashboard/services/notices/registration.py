"""What this room tells the rest of the console when it starts."""

from __future__ import annotations

from collections.abc import Iterator


def register() -> None:
    """Its permission, audit words, the ear for changes, and its sealed texts."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.audit import Words
    from dashboard.servers import access, resealing
    from dashboard.services import history
    from dashboard.services.notices.considering import consider

    access.register("services.notify", Role.OPERATOR, "decide who is told of services")
    audit.register(
        {
            "services.notice.create": Words(
                "Added the notification {target}", "add a notification"
            ),
            "services.notice.update": Words(
                "Changed the notification {target}", "change a notification"
            ),
            "services.notice.delete": Words(
                "Removed the notification {target}", "remove a notification"
            ),
            "services.notice.test": Words(
                "Tested the notification {target}", "test a notification", is_change=False
            ),
            "services.notice.again": Words(
                "Sent a notification of {target} again", "send a notification again",
                is_change=False,
            ),
            "services.notice.mute": Words("Muted {target}", "mute a service"),
            "services.notice.unmute": Words("Ended the mute of {target}", "end a mute"),
        }
    )  # fmt: skip
    history.listeners.append(consider)
    resealing.register("addresses and secrets of notifications", _resealed)


def _resealed() -> Iterator[str]:
    from django.db import transaction

    from dashboard.servers import secrets
    from dashboard.servers.secrets import SecretUnreadable
    from dashboard.services.notices.models import Rule

    for pk in Rule.objects.values_list("pk", flat=True):
        with transaction.atomic():
            rule = Rule.objects.select_for_update().filter(pk=pk).first()
            if rule is None or secrets.is_current(rule.sealed):
                continue
            try:
                known = rule.secret()
            except SecretUnreadable as error:
                yield f"notification {rule.name}: {error}"
                continue
            rule.seal(known["address"], known["secret"])
            rule.save(update_fields=["sealed"])
        yield ""
