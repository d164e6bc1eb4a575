from django.urls import path

from dashboard.accounts.views import account, sign_in, teams, tokens, users

app_name = "accounts"
urlpatterns = [
    path("account/login/", sign_in.sign_in, name="login"),
    path("account/logout/", sign_in.sign_out, name="logout"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="password"),
    path("account/sessions/", account.sessions, name="sessions"),
    path("account/tokens/", tokens.index, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke, name="token_revoke"),
    path("users/", users.index, name="users"),
    path("users/add/", users.create, name="create"),
    path("users/<int:pk>/", users.show, name="user"),
    path("users/<int:pk>/state/", users.state, name="user_state"),
    path("users/<int:pk>/admin/", users.admin, name="user_admin"),
    path("users/<int:pk>/password/", users.password, name="user_password"),
    path("users/<int:pk>/sessions/", users.revoke, name="user_sessions"),
    path("teams/", teams.index, name="teams"),
    path("teams/<int:pk>/", teams.show, name="team"),
    path("teams/<int:pk>/members/", teams.members, name="team_members"),
    path("teams/<int:pk>/prefixes/", teams.prefixes, name="team_prefixes"),
    path("teams/<int:pk>/delete/", teams.delete, name="team_delete"),
]
