"""The console: a Django project that teams run beside their Redis."""

from dashboard.celery import app as celery_app

__all__ = ["celery_app"]
