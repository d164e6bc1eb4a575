from django.urls import register_converter

from dashboard.keys.converters import KeyConverter

register_converter(KeyConverter, "key")

# A room's addresses may name a key, so the converter comes first.
from dashboard.keys.browsing.urls import urlpatterns as browsing  # noqa: E402
from dashboard.keys.bulk.urls import urlpatterns as bulk  # noqa: E402
from dashboard.keys.editing.urls import urlpatterns as editing  # noqa: E402
from dashboard.keys.saved.urls import urlpatterns as saved  # noqa: E402
from dashboard.keys.searching.urls import urlpatterns as searching  # noqa: E402
from dashboard.keys.survey.urls import urlpatterns as survey  # noqa: E402
from dashboard.keys.transfer.urls import urlpatterns as transfer  # noqa: E402

app_name = "keys"
urlpatterns = [*browsing, *editing, *bulk, *transfer, *searching, *survey, *saved]
