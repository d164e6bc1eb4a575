"""What the app tells the apps below it once all models are there."""

from __future__ import annotations

from dashboard.accounts.roles import Role
from dashboard.audit import Words, register, visible_servers
from dashboard.servers import access, gauges
from dashboard.servers import palette as own_palette
from dashboard.servers.live import announcing
from dashboard.ui import measures, navigation, palette

# What happened, what was wanted, and the word in a plot, of each action in the audit.
WORDS = {
    "servers.create": ("Added the server {target}", "add a server", "added"),
    "servers.update": ("Changed the settings of {target}", "change a server", "settings"),
    "servers.delete": ("Removed {target} from the console", "remove a server", "removed"),
    "servers.withdraw": ("{target} is no longer declared", "withdraw a server", "withdrawn"),
    "servers.grant": ("Gave {target} a role", "give a role", "access"),
    "servers.revoke": ("Took the role of {target}", "take a role", "access"),
    "servers.stop": ("Stopped all console work on {target}", "stop console work", "stopped"),
    "servers.resume": ("Resumed console work on {target}", "resume console work", "resumed"),
}
CHECKED = Words("Tried the connection to {target}", "try a connection", is_change=False)


def connect() -> None:
    """Permissions, pages of the side, the palette's servers, and whose audit may be read."""
    register({code: Words(*words) for code, words in WORDS.items()} | {"servers.check": CHECKED})
    access.register("servers.view", Role.VIEWER, "see this server")
    access.register("servers.create", Role.ADMIN, "add a server")
    access.register("servers.change", Role.ADMIN, "change how this server is reached")
    access.register("servers.stop", Role.OPERATOR, "stop or resume console work on this server")
    access.register("servers.grant", Role.ADMIN, "give or take roles")
    access.register("servers.live", Role.ADMIN, "see what live pages read")
    access.register("servers.delete", Role.ADMIN, "remove this server from the console")
    navigation.check_with(access.may, access.server_for)
    navigation.register(
        group="Observe",
        label="Fleet",
        icon="layers",
        url_name="servers:fleet",
        order=0,
        letter="f",
    )
    navigation.register(
        group="Observe",
        label="Overview",
        icon="layout-dashboard",
        url_name="servers:show",
        permission="servers.view",
        order=0,
        per_server=True,
        letter="o",
    )
    navigation.register(
        group="Operate",
        label="Servers",
        icon="server",
        url_name="servers:index",
        order=10,
        letter="s",
    )
    navigation.register(
        group="Operate",
        label="Access",
        icon="lock",
        url_name="servers:grants",
        permission="servers.grant",
        order=80,
        per_server=True,
    )
    navigation.register(
        group="Operate",
        label="Settings",
        icon="settings-2",
        url_name="servers:update",
        permission="servers.change",
        order=90,
        per_server=True,
    )
    navigation.register(
        group="Operate",
        label="Watched topics",
        icon="activity",
        url_name="servers:live",
        order=60,
        letter="w",
        when=lambda request: access.has_every_server(request.user),
    )
    palette.register(own_palette.hits)
    announcing.connect()
    measures.register(gauges.collect)
    visible_servers.register(lambda user: access.servers_for(user).values_list("slug", flat=True))
