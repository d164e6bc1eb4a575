"""What the room for changing single keys tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare the words of its actions; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.audit import Words

    audit.register(
        {
            "key.create": Words("Created {target}", "create a key"),
            "key.update": Words("Changed {target}", "change a key"),
            "key.expire": Words("Set the expiry of {target}", "set a key's expiry"),
            "key.persist": Words("Removed the expiry of {target}", "remove a key's expiry"),
            "key.rename": Words("Renamed {target}", "rename a key"),
            "key.copy": Words("Copied {target}", "copy a key"),
            "key.delete": Words("Deleted {target}", "delete a key"),
        }
    )
