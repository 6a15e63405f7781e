"""Settings of the sample project; .env.example lists what can be set from outside."""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from django_eventstore.conf import event_store_url
from sample import nats

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"
VAR.mkdir(exist_ok=True)

env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

SECRET_KEY = env("SECRET_KEY", default="only for a demonstration")
DEBUG = env.bool("DEBUG", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

# -- the event store: these lines, the app and the middleware below are all there is to it

SAMPLE_STORE = env("SAMPLE_STORE", default="database")
# The server that manage.py starts for SAMPLE_STORE=jetstream (see nats.py).
EVENT_STORE_URLS = {
    "database": "db://default",
    "jetstream": f"nats://127.0.0.1:{nats.PORT}/permits",
}
if SAMPLE_STORE not in EVENT_STORE_URLS:
    raise ImproperlyConfigured(
        f"SAMPLE_STORE (STORE of make) is {' or '.join(EVENT_STORE_URLS)}, not {SAMPLE_STORE!r}."
    )
EVENT_STORES = {
    "default": event_store_url(env("EVENT_STORE_URL", default=EVENT_STORE_URLS[SAMPLE_STORE]))
}
if SAMPLE_STORE == "jetstream":
    # Permits are kept for ever; without this, a stream drops events after a year.
    EVENT_STORES["default"]["OPTIONS"]["max_age"] = None

# --

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Writers queue instead of failing with "database is locked"; readers do not wait for them.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }

INSTALLED_APPS = [
    "permits",
    "django_eventstore",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_eventstore.middleware.EventMetadataMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "sample.urls"
WSGI_APPLICATION = "sample.wsgi.application"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
