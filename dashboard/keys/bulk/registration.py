"""What the room for bulk work tells the rest of the console when it starts."""

from __future__ import annotations

WORDS = {
    "keys.delete": ("Deleted {target}", "delete keys"),
    "keys.expire": ("Set the expiry of {target}", "set the expiry of keys"),
    "keys.persist": ("Removed the expiry of {target}", "remove the expiry of keys"),
    "keys.rename": ("Renamed {target}", "rename keys"),
    "keys.copy": ("Copied {target}", "copy keys"),
}


def register() -> None:
    """Declare permission, words and kinds of jobs; called once by the app's ``ready()``."""
    from dashboard import audit, jobs
    from dashboard.accounts.roles import Role
    from dashboard.jobs import retention
    from dashboard.keys.bulk.kinds import DeleteKeys, ExpireKeys, PersistKeys
    from dashboard.keys.bulk.listing import ListKeys
    from dashboard.keys.bulk.models import KeyList
    from dashboard.keys.bulk.renaming import CopyKeys, RenameKeys
    from dashboard.servers import access

    access.register("keys.bulk", Role.OPERATOR, "change many keys at once")
    for kind in (ListKeys(), DeleteKeys(), ExpireKeys(), PersistKeys(), RenameKeys(), CopyKeys()):
        jobs.register(kind)
    retention.keep_while(KeyList.jobs_shown)
    audit.register({name: audit.Words(*words) for name, words in WORDS.items()})
    audit.register({"keys.list": audit.Words("Counted {target}", "count keys", is_change=False)})
