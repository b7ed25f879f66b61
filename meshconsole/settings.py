"""
Settings, 12-factor: everything an operator may change is an environment variable, listed in docs/settings.md.

Without any of them Meshconsole runs on SQLite and an embedded Valkey below ./var.
"""

import os
import tempfile
from pathlib import Path

import environ

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
env = environ.Env()

HOME = Path(env("MESHCONSOLE_HOME", default=str(Path.cwd() / "var"))).absolute()
"""Where the embedded database, keys and logs live."""


def _secret_key() -> str:
    """SECRET_KEY, or one made at the first start and kept beside the database (mode 0600)."""
    import secrets

    if key := env("SECRET_KEY", default=""):
        return key
    path = HOME / "secret.key"
    try:
        return path.read_text()
    except FileNotFoundError:
        HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = secrets.token_urlsafe(48)
        temporary = HOME / f".secret.{os.getpid()}"
        temporary.touch(mode=0o600)
        temporary.write_text(key)
        try:
            os.link(temporary, path)  # the first of several processes wins
        except FileExistsError:
            key = path.read_text()
        temporary.unlink()
        return key


SECRET_KEY = _secret_key()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

TRUST_DOMAIN = env("TRUST_DOMAIN", default="cluster.local")
ROOT_NAMESPACE = env("ROOT_NAMESPACE", default="istio-system")
OUTBOUND_TRAFFIC_POLICY = env("OUTBOUND_TRAFFIC_POLICY", default="ALLOW_ANY")
CERTIFICATE_LIFE = env.float("CERTIFICATE_LIFE", default=24 * 3600)
"""Seconds that a workload certificate lives; it is renewed at half of it."""
CERTIFICATE_GRACE = env.float("CERTIFICATE_GRACE", default=7 * 24 * 3600)
"""Seconds after its end that a certificate still proves who its agent is, to get the next one; 0 asks for a new join token at once."""
CA_KEY_ENCRYPTION_KEY = (
    Path(env("CA_KEY_ENCRYPTION_KEY_FILE")).read_text()
    if env("CA_KEY_ENCRYPTION_KEY_FILE", default="")
    else env("CA_KEY_ENCRYPTION_KEY", default="")
)
"""What the authority's keys are encrypted with at rest, one secret a line: the first seals, each opens, and SECRET_KEY opens too (and seals,
where there is none). Or the name of a file that holds it, in CA_KEY_ENCRYPTION_KEY_FILE."""
CA_RENEWAL_SPREAD = env.float("CA_RENEWAL_SPREAD", default=60.0)
"""Seconds over which the agents of a retiring authority are spread when they fetch their next certificates."""
ENDPOINT_GRACE = env.float("ENDPOINT_GRACE", default=600)
"""Seconds that the endpoint of an agent which vanished without a word stays, while the console is up."""
AGENT_HEARTBEAT = env.float("AGENT_HEARTBEAT", default=20.0)
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=4 * 1024 * 1024)

PROMETHEUS_URL = env("PROMETHEUS_URL", default="")
HEALTH_TOLERANCES = env.json("HEALTH_TOLERANCES", default=[])
"""Which shares of failing requests make an edge or node degraded or failed (topology/health.py); empty: Kiali's defaults."""
GRAFANA_URL = env("GRAFANA_URL", default="")
JAEGER_URL = env("JAEGER_URL", default="")
ZIPKIN_URL = env("ZIPKIN_URL", default="")
TEMPO_DATASOURCE = env("TEMPO_DATASOURCE", default="")
"""The uid of Grafana's Tempo datasource: pages of traces then link there."""
OTLP_EXPORT_URL = env("OTLP_EXPORT_URL", default="")
"""Where all spans are sent on to: the base or the /v1/traces address of anything that takes OTLP over HTTP (Jaeger, Tempo, a collector)."""
TRACING_SAMPLING = env.float("TRACING_SAMPLING", default=0.0)
"""Percent of requests that enter the mesh untraced which become traces (Istio: 1). 0 turns tracing off."""
ACCESS_LOG = env.bool("ACCESS_LOG", default=True)
"""Proxies tell of single requests: those that fail, the slow ones, and a sample."""
ACCESS_LOG_SLOW_MS = env.int("ACCESS_LOG_SLOW_MS", default=1000)
"""Milliseconds from which a request is slow; 0: none is told of for that."""
ACCESS_LOG_SAMPLING = env.float("ACCESS_LOG_SAMPLING", default=1.0)
"""Percent of all requests that are told of besides."""
ACCESS_LOG_RETENTION = env.float("ACCESS_LOG_RETENTION", default=2 * 24 * 3600)
"""Seconds that a record is kept at most."""
ACCESS_LOG_RECORDS = env.int("ACCESS_LOG_RECORDS", default=200_000)
"""Records that are kept; beyond it the oldest go."""
TRACE_RETENTION = env.float("TRACE_RETENTION", default=2 * 24 * 3600)
"""Seconds that a trace is kept at most."""
TRACE_STORE_BYTES = env.int("TRACE_STORE_BYTES", default=512 * 1024 * 1024)
"""Bytes of spans that are kept; beyond it ordinary traces go first, those with errors and the slow ones last."""
CONSOLE_URL = env("CONSOLE_URL", default="http://127.0.0.1:8000")
"""Where people reach this console: alerts link there."""
OUTBOUND_ALLOWED_NETWORKS = env.list("OUTBOUND_ALLOWED_NETWORKS", default=[])
"""Private networks that the console may speak to where a user names the address: webhooks and key sets (outbound.py)."""
ALERT_ALLOWED_NETWORKS = env.list("ALERT_ALLOWED_NETWORKS", default=[])
"""Private networks that alerts may be posted to (`10.0.0.0/8,127.0.0.0/8`); public addresses always may."""
EMAIL_URL = env("EMAIL_URL", default="")
"""The mail server of alerts: smtp+tls://user:password@host:587. Empty: no e-mail."""
EMAIL_CONFIGURED = bool(EMAIL_URL)
if EMAIL_URL:
    vars().update(env.email("EMAIL_URL"))
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", default="Meshconsole <meshconsole@localhost>")
JWKS_ALLOW_PRIVATE = env.bool("JWKS_ALLOW_PRIVATE", default=False)
"""May the console fetch keys (RequestAuthentication, jwksUri) from private and loopback addresses?"""
REDIS_URL = env("REDIS_URL", default="")
"""Empty: one process, in-memory channel layer, no revision notices but by polling."""

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "django_celery_beat",
    "meshconsole.accounts",
    "meshconsole.configstore",
    "meshconsole.keysets",
    "meshconsole.discovery",
    "meshconsole.ca",
    "meshconsole.xds",
    "meshconsole.agents",
    "meshconsole.topology",
    "meshconsole.alerts",
    "meshconsole.api",
    "meshconsole.console",
    "telemetry",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "meshconsole.accounts.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "meshconsole.urls"
ASGI_APPLICATION = "meshconsole.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [d for d in (ROOT / "templates", HERE / "templates") if d.is_dir()],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "meshconsole.console.context.console",
            ],
            "builtins": ["meshconsole.console.templatetags.mesh"],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{HOME / 'meshconsole.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000; PRAGMA cache_size=-32000;",
    }
    # A real file for tests too: the in-memory database of Django's tests has no WAL and fails, where the real one waits, when two threads write.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"meshconsole-test-{os.getpid()}.sqlite3")}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{n}"}
    for n in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
PASSWORD_SIGN_IN = env.bool("PASSWORD_SIGN_IN", default=True)
"""False: people sign in at the OIDC provider only."""
OIDC_ISSUER = env("OIDC_ISSUER", default="")
"""The issuer of a single sign-on provider (https://login.example.com/realms/main); empty: no single sign-on."""
OIDC_CLIENT_ID = env("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env("OIDC_CLIENT_SECRET", default="")
OIDC_SCOPES = env("OIDC_SCOPES", default="openid profile email")
OIDC_NAME = env("OIDC_NAME", default="Continue with single sign-on")
"""What the button says."""
OIDC_USERNAME_CLAIM = env("OIDC_USERNAME_CLAIM", default="preferred_username")
OIDC_GROUPS_CLAIM = env("OIDC_GROUPS_CLAIM", default="groups")
OIDC_ROLES = env.json("OIDC_ROLES", default={})
"""What a group gives: {"mesh-admins": {"*": "admin"}, "payments-team": {"payments": "editor"}}."""
OIDC_REQUIRED_GROUPS = env.list("OIDC_REQUIRED_GROUPS", default=[])
"""Who is in none of these may not sign in; empty: everybody that the provider knows may, and sees what their groups give."""
PASSWORD_HASHERS = ["meshconsole.accounts.hashing.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "accounts-forget": {"task": "accounts.forget", "schedule": 86400.0, "options": {"expires": 43200}},
    "accounts-verify-audit": {"task": "accounts.verify_audit", "schedule": 86400.0, "options": {"expires": 43200}},
    "keysets-refresh": {"task": "keysets.refresh", "schedule": 30.0, "options": {"expires": 25}},
    "ca-rotation": {"task": "xds.advance_rotation", "schedule": 30.0, "options": {"expires": 25}},
    "ca-warn": {"task": "ca.warn", "schedule": 3600.0, "options": {"expires": 1800}},
    "ca-forget": {"task": "ca.forget_the_long_ended", "schedule": 86400.0, "options": {"expires": 43200}},
    "alerts-evaluate": {"task": "alerts.evaluate", "schedule": 10.0, "options": {"expires": 9}},
    "alerts-objectives": {"task": "alerts.evaluate_objectives", "schedule": 30.0, "options": {"expires": 25}},
    "alerts-deliver": {"task": "alerts.deliver", "schedule": 5.0, "options": {"expires": 4}},
    "alerts-forget": {"task": "alerts.forget", "schedule": 86400.0, "options": {"expires": 43200}},
    "telemetry-traces": {"task": "telemetry.tasks.retain_traces", "schedule": 30.0, "options": {"expires": 25}},
    "telemetry-logs": {"task": "telemetry.tasks.retain_logs", "schedule": 30.0, "options": {"expires": 25}},
    "telemetry-retention": {"task": "telemetry.tasks.retain", "schedule": 300.0, "options": {"expires": 240}},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "meshconsole.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "meshconsole.api.errors.handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Meshconsole",
    "DESCRIPTION": "A service mesh that needs no Kubernetes. Resources live at Kubernetes paths; everything else below /api/v1.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [d for d in (ROOT / "static", HERE / "static") if d.is_dir()]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = env.int("SESSION_AGE", default=14 * 86400)
"""Seconds after which who is signed in has to do so again."""
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
"""Networks of the reverse proxies in front: they, and nobody else, are believed about X-Forwarded-For and X-Forwarded-Proto."""
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
BEHIND_TLS = env.bool("BEHIND_TLS", default=False)
"""True when every browser reaches the console by https: cookies become secure, HSTS is sent."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_HSTS_SECONDS = 31536000 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_SUBDOMAINS", default=False)
SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", default=BEHIND_TLS and bool(TRUSTED_PROXIES))
"""http:// is answered by https://. Behind a proxy the console knows which it was only when TRUSTED_PROXIES names the proxy."""
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$", "^sd/prometheus$"]
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# What a whole domain promises (its other hosts, browsers' preload lists) is its owner's to decide, not one console's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TRUST_FORWARDED_PROTO", default=False) else None
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD_BYTES

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
