"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """The rights that tokens need, the scopes that people give them, and the router."""
    from dashboard.accounts import tokens
    from dashboard.accounts.roles import Role
    from dashboard.api import endpoint
    from dashboard.api.tokens import scope
    from dashboard.servers import access
    from dashboard.services.api.endpoint import DISCOVER, REGISTER, router, section

    access.register(REGISTER, Role.OPERATOR, "let programs register services on this server")
    access.register(DISCOVER, Role.VIEWER, "let programs discover services on this server")
    tokens.register(scope(REGISTER, "register services"))
    tokens.register(scope(DISCOVER, "discover services"))
    endpoint.mount("services", router, section())
