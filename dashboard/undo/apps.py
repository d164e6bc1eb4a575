from django.apps import AppConfig


class UndoConfig(AppConfig):
    name = "dashboard.undo"
    label = "undo"

    def ready(self) -> None:
        from dashboard import audit, jobs
        from dashboard.accounts.roles import Role
        from dashboard.jobs import retention
        from dashboard.servers import access, resealing
        from dashboard.ui import navigation
        from dashboard.undo.jobs import Restore
        from dashboard.undo.keeping import jobs_offered
        from dashboard.undo.resealing import reseal

        audit.register(
            {
                "undo.restore": audit.Words("Restored {target}", "restore keys", "restored"),
                "undo.overwrite": audit.Words(
                    "Overwrote {target} by a restore", "overwrite by a restore", "restored"
                ),
            }
        )
        access.register("undo.view", Role.VIEWER, "see the recycle bin")
        access.register("undo.restore", Role.OPERATOR, "restore what was removed")
        jobs.register(Restore())
        retention.keep_while(jobs_offered)
        resealing.register("chunks of the recycle bin", reseal)
        navigation.register(
            group="Operate", label="Recycle bin", icon="archive-restore", url_name="undo:index",
            permission="undo.view", order=40, per_server=True, letter="b",
        )  # fmt: skip
