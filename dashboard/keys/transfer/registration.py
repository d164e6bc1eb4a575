"""What the room for exports and imports tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, words and kinds of jobs; called once by the app's ``ready()``."""
    from dashboard import jobs
    from dashboard.accounts.roles import Role
    from dashboard.audit import Words
    from dashboard.audit import register as words
    from dashboard.jobs import retention
    from dashboard.keys.transfer.exporting import ExportKeys
    from dashboard.keys.transfer.importing import ImportKeys
    from dashboard.keys.transfer.keeping import jobs_shown
    from dashboard.keys.transfer.looking import LookImport
    from dashboard.keys.transfer.resealing import reseal
    from dashboard.servers import access, resealing

    access.register("keys.export", Role.VIEWER, "export keys")
    access.register("keys.import", Role.OPERATOR, "import keys")
    resealing.register("files of exports and imports", reseal)
    for kind in (ExportKeys(), LookImport(), ImportKeys()):
        jobs.register(kind)
    retention.keep_while(jobs_shown)
    words(
        {
            "keys.export": Words("Exported {target}", "export keys", is_change=False),
            "keys.export_download": Words(
                "Downloaded the export of {target}", "download an export", is_change=False
            ),
            "keys.upload": Words("Uploaded {target}", "upload keys", is_change=False),
            "keys.look_import": Words(
                "Looked through {target}", "look through a file", is_change=False
            ),
            "keys.import": Words("Imported {target}", "import keys"),
            "keys.archive_remove": Words(
                "Removed the file of {target}", "remove a file of keys", is_change=False
            ),
        }
    )
