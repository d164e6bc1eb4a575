from django.apps import AppConfig
from django.http import HttpRequest

# What happened, what was wanted, and the word in a plot, of each action in the audit.
WORDS = {
    "accounts.create": ("Added the account {target}", "add an account", "account"),
    "accounts.update": ("Made {target} an admin", "make somebody an admin", "admin"),
    "accounts.enable": ("Let {target} sign in again", "let somebody sign in again", "account"),
    "accounts.disable": ("Shut the account {target}", "shut an account", "account"),
    "accounts.admin": (
        "Changed whether {target} is an admin of the console",
        "change who is an admin of the console",
        "admin",
    ),
    "accounts.password": ("Changed the password of {target}", "change a password", "password"),
    "accounts.revoke": ("Ended sessions of {target}", "end sessions", "sessions"),
    "accounts.token.create": ("Made the API token {target}", "make an API token", "token"),
    "accounts.token.revoke": ("Revoked the API token {target}", "revoke an API token", "token"),
    "accounts.team.create": ("Added the team {target}", "add a team", "team"),
    "accounts.team.members": ("Changed who is in the team {target}", "change a team", "team"),
    "accounts.team.prefixes": (
        "Changed what the team {target} owns", "change what a team owns", "team",
    ),
    "accounts.team.delete": ("Removed the team {target}", "remove a team", "team"),
}  # fmt: skip
VISITS = {
    "accounts.sign_in": ("{target} signed in", "sign in", "sign-in"),
    "accounts.sign_out": ("{target} signed out", "sign out", "sign-out"),
}


class AccountsConfig(AppConfig):
    name = "dashboard.accounts"
    label = "accounts"

    def ready(self) -> None:
        from dashboard.accounts import checks  # noqa: F401 - registers them
        from dashboard.audit import Words, register
        from dashboard.ui import navigation

        register({code: Words(*words) for code, words in WORDS.items()})
        register({code: Words(*words, is_change=False) for code, words in VISITS.items()})
        navigation.register(
            group="Team", label="Users", icon="user", url_name="accounts:users", order=20,
            letter="u", when=_is_admin,
        )  # fmt: skip
        navigation.register(
            group="Team", label="Teams", icon="users", url_name="accounts:teams", order=30,
            letter="t", when=_is_admin,
        )  # fmt: skip


def _is_admin(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_authenticated and user.is_superuser)
