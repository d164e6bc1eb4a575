from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "dashboard.keys"
    label = "keys"

    def ready(self) -> None:
        from dashboard import audit
        from dashboard.accounts.roles import Role
        from dashboard.keys.browsing.search import exact_keys
        from dashboard.keys.bulk import registration as bulk
        from dashboard.keys.editing import registration as editing
        from dashboard.keys.saved import registration as saved
        from dashboard.keys.searching import registration as searching
        from dashboard.keys.survey import registration as survey
        from dashboard.keys.transfer import registration as transfer
        from dashboard.servers import access
        from dashboard.ui import navigation, palette

        told = audit.Words("Downloaded {target}", "download a value", is_change=False)
        audit.register({"keys.download": told})
        access.register("keys.browse", Role.VIEWER, "look at keys")
        access.register("keys.download", Role.VIEWER, "download values")
        access.register("keys.change", Role.OPERATOR, "change keys")
        bulk.register()
        editing.register()
        navigation.register(
            group="Observe", label="Keys", icon="key-round", url_name="keys:index",
            permission="keys.browse", order=20, per_server=True, letter="k",
        )  # fmt: skip
        palette.register(exact_keys)
        saved.register()
        searching.register()
        survey.register()
        transfer.register()
