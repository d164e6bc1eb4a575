from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "dashboard.audit"
    label = "audit"

    def ready(self) -> None:
        from dashboard.audit import Words, register
        from dashboard.ui import navigation

        register({"audit.export": Words("Exported {target}", "export the audit", is_change=False)})

        navigation.register(
            group="Team", label="Audit", icon="history", url_name="audit:index", order=10,
            letter="a",
        )  # fmt: skip
