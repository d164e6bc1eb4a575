"""Structured logs: one line of JSON an event in production, readable lines elsewhere."""

from __future__ import annotations

import logging
from typing import Any

import structlog


def without_query(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A request is named by method and path: what people search for stays out of the log."""
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].partition("?")[0]
    return event


def is_untold(record: logging.LogRecord) -> bool:
    """False for a refusal or a server in trouble: ``request_finished`` has a line for it."""
    status = getattr(record, "status_code", 500)
    return bool(status >= 500 and status != 503)


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    without_query,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def configuration(style: str, level: str) -> dict[str, Any]:
    """The value of Django's LOGGING; ``style`` is ``json`` or ``console``."""
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        # Plain: with rich installed the default prints local variables, secrets among them.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"once": {"()": "django.utils.log.CallbackFilter", "callback": is_untold}},
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "uvicorn.access": {"level": "WARNING"},
            "django_structlog": {"level": "WARNING"},
            "django.request": {"filters": ["once"]},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
        },
    }
