"""Addresses of this room, below ``/servers/<slug>/services/``."""

from django.urls import path

from dashboard.services.history import names as names  # registers the converters
from dashboard.services.instances import acting, repairing, views

urlpatterns = [
    path("<service:service>/", views.service, name="service"),
    path("<service:service>/zombies/", repairing.repair, name="repair"),
    path("<service:service>/<instance:instance>/", views.instance, name="instance"),
    path("<service:service>/<instance:instance>/drain/", acting.drain, name="drain"),
    path("<service:service>/<instance:instance>/maintain/", acting.maintain, name="maintain"),
    path("<service:service>/<instance:instance>/resume/", acting.resume, name="resume"),
    path("<service:service>/<instance:instance>/weight/", acting.reweigh, name="reweigh"),
    path("<service:service>/<instance:instance>/deregister/", acting.deregister, name="deregister"),
]
