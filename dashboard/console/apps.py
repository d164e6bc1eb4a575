from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "dashboard.console"
    label = "console"

    def ready(self) -> None:
        from dashboard.accounts.roles import Role
        from dashboard.audit import Words, register
        from dashboard.servers import access
        from dashboard.ui import navigation

        access.register("console.run", Role.VIEWER, "run commands")
        register(
            {
                "console.write": Words("Ran {target}", "run a command", "command"),
                "console.run": Words("Ran {target}", "run a command", is_change=False),
            }
        )
        navigation.register(
            group="Operate", label="Console", icon="terminal", url_name="console:index",
            permission="console.run", order=10, per_server=True, letter="c",
        )  # fmt: skip
