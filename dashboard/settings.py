"""Settings of the console, all of them from the environment (``.env`` is read).

``docs/install.md`` has the table of variables. ``REDISOPS_ENV=production`` turns on what a
console behind TLS needs and refuses to start without what it cannot guess.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dashboard import home, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

PRODUCTION = env.str("REDISOPS_ENV", "development") == "production"
# Never in production, whatever happens to be imported there: tests hash passwords cheaply.
TESTING = "pytest" in sys.modules and not PRODUCTION
DEBUG = env.bool("DEBUG", False)

# --- Where things are kept --------------------------------------------------------------
DATA_DIR = Path(env.str("REDISOPS_DATA", str(BASE_DIR / "var"))).resolve()
SECRET_KEY = home.secret_key(env.str("SECRET_KEY", ""), DATA_DIR, production=PRODUCTION)
# Encrypts what is kept at rest (server passwords, session fields). Separate from SECRET_KEY, so
# that one can be replaced without the other: newest first, comma-separated, old keys still open.
ENCRYPTION_KEYS = env.list("REDISOPS_ENCRYPTION_KEYS", default=[]) or [
    home.derived_key(SECRET_KEY, "redisops.at-rest")
]
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# --- Home: the Redis that the console itself runs on ------------------------------------
REDIS_URL = env.str("REDIS_URL", "") or home.embedded_url(DATA_DIR)
REDIS_IS_EMBEDDED = not env.str("REDIS_URL", "")
HOME_PREFIX = env.str("REDISOPS_PREFIX", "redisops:console:")
DEMO = env.bool("DEMO", REDIS_IS_EMBEDDED)
# DNS for services (A, AAAA, SRV of <service>.redisops): a port switches it on.
DNS_HOST, DNS_PORT = env.str("DNS_HOST", "127.0.0.1"), env.int("DNS_PORT", 0)
DNS_SERVER = env.str("DNS_SERVER", "home")
# Servers declared as code, beside those added in the browser: a YAML file, or the variable.
SERVERS_FILE = env.str("REDISOPS_SERVERS_FILE", "")
SERVERS_INLINE = env.str("REDISOPS_SERVERS", "")
# Where servers may be, as networks (10.0.0.0/8); empty allows all but link-local and metadata.
ALLOWED_NETWORKS = home.networks(env.list("REDISOPS_ALLOWED_NETWORKS", default=[]))
# Keys with which services on the library seal their sessions, so that the sessions page can tell
# whose they are: comma-separated, 32 bytes as base64 each. Values are opened for operators alone.
SESSION_KEYS = env.list("SESSION_KEYS", default=[]) + (
    [home.derived_key("shop", "redisops.demo.sessions")] if DEMO else []
)
# Where checks of services may connect; none by default. 0.0.0.0/0 means public addresses alone:
# private and loopback ones only by a network of their own (10.0.0.0/8, 127.0.0.0/8).
CHECK_NETWORKS = home.networks(
    env.list("CHECK_NETWORKS", default=["127.0.0.0/8", "::1/128"] if DEMO else []),
    "CHECK_NETWORKS",
)

# --- Addresses --------------------------------------------------------------------------
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", HOST]
)
if PRODUCTION and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the console's own host names in production")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
FORCE_SCRIPT_NAME = env.str("SCRIPT_NAME", "") or None
# How many proxies of yours stand in front and append to X-Forwarded-For; 0 believes nobody.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)

# --- Django -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "channels",
    "dashboard.ui",
    "dashboard.audit",
    "dashboard.accounts",
    "dashboard.servers",
    "dashboard.undo",
    "dashboard.jobs",
    "dashboard.keys",
    "dashboard.console",
    "dashboard.limits",
    "dashboard.streams",
    "dashboard.pubsub",
    "dashboard.leaderboards",
    "dashboard.services",
    "dashboard.caching",
    "dashboard.sessions",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_structlog",
    "csp",
]
MIDDLEWARE = [
    "django_structlog.middlewares.RequestMiddleware",
    "dashboard.ui.measures.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "dashboard.ui.staticfiles.StaticFilesMiddleware",
    "dashboard.ui.middleware.PrivateAnswersMiddleware",
    "dashboard.ui.middleware.FetchMetadataMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.accounts.middleware.SignInRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.audit.middleware.FailClosedMiddleware",
    "dashboard.servers.middleware.RedisTroubleMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.ui.context_processors.frame",
                "dashboard.servers.context_processors.servers",
            ],
            "builtins": ["dashboard.ui.templatetags.ui"],
            "loaders": [
                "django.template.loaders.filesystem.Loader",
            ]
            if DEBUG
            else [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader"],
                )
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# --- SQL: what people decide ------------------------------------------------------------
DATABASES = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'redisops.sqlite3'}")
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # A write takes its lock at BEGIN, so that two writers queue instead of failing half-way.
        "transaction_mode": "IMMEDIATE",
        "timeout": 2.5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["OPTIONS"] = home.postgres_options(
        env.float("DATABASE_STATEMENT_SECONDS", 2.5), DATABASES["default"].get("OPTIONS", {})
    )

# --- People -----------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["dashboard.accounts.backends.Backend"]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "servers:fleet"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    if not TESTING
    else "django.contrib.auth.hashers.MD5PasswordHasher"
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "dashboard.accounts.sessions"
SESSION_COOKIE_AGE = env.int("SESSION_IDLE_SECONDS", 12 * 3600)
SESSION_ABSOLUTE_AGE = env.int("SESSION_ABSOLUTE_SECONDS", 7 * 24 * 3600)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "session"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
CSRF_FAILURE_VIEW = "dashboard.ui.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Keys whose values the audit never keeps (patterns of names), beside everything called a secret.
AUDIT_MASKED_KEYS = env.list(
    "AUDIT_MASKED_KEYS",
    default=["session:*", "sessions:*", "*password*", "*secret*", "*token*"],
)

# Seconds after which a look at the tree counts a server's keys anew, and without any look.
SURVEY_SECONDS = env.int("SURVEY_SECONDS", 3600)
SURVEY_EVERY = env.int("SURVEY_EVERY", 24 * 3600)

# Commands a second and server from which on pages wait a moment (at most 1 s each); 0: never.
PAGE_COMMANDS = env.float("PAGE_COMMANDS", 5000)

# --- Recycle bin: what people deleted or overwrote, sealed in SQL -------------------------
UNDO_BYTES = env.int("UNDO_BYTES", 1024**3)
UNDO_SECONDS = env.int("UNDO_SECONDS", 24 * 3600)
UNDO_VALUE_BYTES = env.int("UNDO_VALUE_BYTES", 64 * 1024**2)

# --- Jobs: how long one is kept after its end, an hour at least ---------------------------
JOBS_SECONDS = max(env.int("JOBS_SECONDS", 30 * 24 * 3600), 3600)

# --- Exports and uploaded imports: files in the data directory, sealed --------------------
EXPORT_BYTES = env.int("EXPORT_BYTES", 2 * 1024**3)
EXPORT_SECONDS = env.int("EXPORT_SECONDS", 24 * 3600)
IMPORT_BYTES = env.int("IMPORT_BYTES", 256 * 1024**2)

# --- What the browser may do ------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 365 * 24 * 3600)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "dashboard.ui.uploads.Bounded",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- Static files: ours, and the few that npm brings ------------------------------------
# Spelled out, because under ASGI Django reads STATIC_URL before it knows of SCRIPT_NAME.
STATIC_URL = f"{(FORCE_SCRIPT_NAME or '').rstrip('/')}/static/"
WHITENOISE_STATIC_PREFIX = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboard.ui.finders.NodeModulesFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "dashboard.ui.storage.StaticStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or TESTING
WHITENOISE_AUTOREFRESH = DEBUG

# --- Live and jobs ----------------------------------------------------------------------
CACHES = {
    "default": {
        "BACKEND": "redisops.contrib.django.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{HOME_PREFIX}cache",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [home.channel_layer_host(REDIS_URL)],
            "prefix": f"{HOME_PREFIX}channels",
        },
    }
}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or home.broker_url(REDIS_URL)
CELERY_BROKER_USE_SSL = home.broker_tls(env.str("CELERY_BROKER_URL", "") or REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A killed worker's task comes back after two minutes, not after the default hour.
    "visibility_timeout": 120,
    "global_keyprefix": f"{HOME_PREFIX}celery:",
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "retry_on_timeout": True,
    **home.broker_options(REDIS_URL),
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "dashboard.beat:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")

# --- Notifications ----------------------------------------------------------------------
# smtp://, smtp+tls:// (STARTTLS) or smtp+ssl://user:password@host:port; empty: no e-mail.
EMAIL_IS_SET = bool(env.str("EMAIL_URL", ""))
if EMAIL_IS_SET:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 8
EMAIL_FROM = env.str("EMAIL_FROM", "redisops@localhost")
# Where people reach this console (https://redisops.example): links in notifications begin so.
CONSOLE_URL = env.str("CONSOLE_URL", "")

# --- Logs and numbers -------------------------------------------------------------------
# Who may read /metrics from another machine: the bearer of this token. Empty: nobody.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
LOG_FORMAT = env.str("LOG_FORMAT", "json" if PRODUCTION else "console")
LOGGING = logs.configuration(LOG_FORMAT, env.str("LOG_LEVEL", "INFO"))
logs.configure()
DJANGO_STRUCTLOG_CELERY_ENABLED = False
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"

SILENCED_SYSTEM_CHECKS: list[str] = []
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
