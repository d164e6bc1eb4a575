"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """The right that tokens need, the scope that people give them, the router, who counts how
    often tokens ask, and the book of sign-ins."""
    from dashboard.accounts import throttle, tokens
    from dashboard.accounts.roles import Role
    from dashboard.api import admission, endpoint
    from dashboard.api.tokens import scope
    from dashboard.limits.api import places
    from dashboard.limits.api.endpoint import CHECK, admit, router, section
    from dashboard.limits.api.sign_in import SignIn
    from dashboard.servers import access

    access.register(CHECK, Role.OPERATOR, "let programs check limits on this server")
    tokens.register(scope(CHECK, "check limits"))
    admission.register(admit)
    places.add_to(router)
    endpoint.mount("limits", router, section())
    throttle.register(SignIn())
