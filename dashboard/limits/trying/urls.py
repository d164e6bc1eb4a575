from django.urls import path

from dashboard.limits.trying import views

# "new" is the editor's own word, so no policy has that name.
urlpatterns = [
    path("new/try/", views.try_new, name="try_new"),
    path("<str:name>/try/", views.try_policy, name="try"),
]
