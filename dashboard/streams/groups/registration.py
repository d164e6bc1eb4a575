"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Its permission, the words of its actions, and its kind of job."""
    from dashboard import audit, jobs
    from dashboard.accounts.roles import Role
    from dashboard.audit import Words
    from dashboard.servers import access
    from dashboard.streams.groups.replaying import ReplayLetters

    access.register("streams.change", Role.OPERATOR, "change consumer groups and what they hold")
    audit.register(
        {
            "streams.group.create": Words("Made a group of {target}", "make a consumer group"),
            "streams.group.move": Words("Moved a group of {target}", "move a consumer group"),
            "streams.group.delete": Words("Deleted a group of {target}", "delete a consumer group"),
            "streams.consumer.delete": Words(
                "Deleted a consumer of {target}", "delete a group's consumer"
            ),
            "streams.ack": Words(
                "Acknowledged entries of {target}", "acknowledge entries", "acked"
            ),
            "streams.claim": Words(
                "Claimed entries of {target}", "claim entries for a consumer", "claimed"
            ),
            "streams.bury": Words(
                "Moved entries of {target} to dead letters", "move entries to dead letters", "dead"
            ),
            "streams.replay": Words(
                "Replayed dead letters of {target}", "replay dead letters", "replayed"
            ),
        }
    )
    jobs.register(ReplayLetters())
