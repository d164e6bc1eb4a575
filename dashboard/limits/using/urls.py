from django.urls import path

from dashboard.limits.using import report, subjects, views

# "subjects" is no policy's name: the editor refuses it.
urlpatterns = [
    path("subjects/", subjects.index, name="subjects"),
    path("subjects/<str:subject>/", subjects.show, name="subject"),
    path("<str:name>/use/", views.use, name="use"),
    path("<str:name>/use/series/", views.series, name="use_series"),
    path("<str:name>/subject/reset/", subjects.reset, name="subject_reset"),
    path("<str:name>/subject/except/", subjects.make_exception, name="subject_except"),
    path("<str:name>/subject/lift/", subjects.lift, name="subject_lift"),
    path("<str:name>/shadow/", report.shadow, name="shadow"),
    path("<str:name>/shadow/enforce/", report.enforce, name="enforce"),
]
