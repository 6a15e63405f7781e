"""EVENT_STORES and addresses -> stores."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from asgiref.local import Local
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.connection import BaseConnectionHandler, ConnectionProxy
from django.utils.module_loading import import_string

from .exceptions import InvalidEventError
from .store import EventStore

BACKENDS: Final = {
    "db": "django_eventstore.backends.database.DatabaseEventStore",
    "nats": "django_eventstore.backends.jetstream.JetStreamEventStore",
    "tls": "django_eventstore.backends.jetstream.JetStreamEventStore",
    "memory": "django_eventstore.backends.memory.InMemoryEventStore",
}
DEFAULT_STORES: Final = {"default": {"BACKEND": BACKENDS["db"]}}
_SETTINGS_KEYS: Final = frozenset({"BACKEND", "NAMESPACE", "OPTIONS"})


class EventStoreHandler(BaseConnectionHandler):  # type: ignore[type-arg]
    """The configured stores, by alias: one object for each thread or async task.

    Without the setting there is one store, ``default``, in the default database.
    """

    settings_name = "EVENT_STORES"

    def configure_settings(self, settings: dict[str, Any] | None) -> dict[str, Any]:
        if settings is None:
            settings = getattr(django_settings, self.settings_name, None)
        stores: dict[str, Any] = settings or DEFAULT_STORES
        if not isinstance(stores, dict):
            raise ImproperlyConfigured(
                f"EVENT_STORES must be a dict of aliases, got {type(stores).__name__}."
            )
        if "default" not in stores:
            raise ImproperlyConfigured('EVENT_STORES must have a store named "default".')
        return {alias: _entry(alias, configured) for alias, configured in stores.items()}

    def create_connection(self, alias: str) -> EventStore:
        where = _where(alias)
        configured = self.settings[alias]
        if not isinstance(configured, dict):
            raise ImproperlyConfigured(
                f"{where} must be a dict or an address, got {type(configured).__name__}."
            )
        if unknown := configured.keys() - _SETTINGS_KEYS:
            raise ImproperlyConfigured(
                f"{where}: unknown key {min(map(str, unknown))!r}; the keys are BACKEND, "
                f"NAMESPACE and OPTIONS (a backend's own settings go into OPTIONS)."
            )
        path = configured.get("BACKEND")
        if not path:
            raise ImproperlyConfigured(
                f"{where} needs a BACKEND: the dotted path of the store's class, such as "
                f"{BACKENDS['db']!r}."
            )
        if isinstance(path, str) and "://" in path:  # not shown: it may hold a password
            raise ImproperlyConfigured(
                f"{where}: the BACKEND is the dotted path of a class; an address takes the place "
                f"of the whole entry."
            )
        try:
            backend = import_string(path)
        except (ImportError, AttributeError, TypeError) as error:
            raise ImproperlyConfigured(
                f"{where}: cannot import the BACKEND {path!r}: {error}"
            ) from error
        if not (isinstance(backend, type) and issubclass(backend, EventStore)):
            raise ImproperlyConfigured(f"{where}: the BACKEND {path!r} is no EventStore class.")
        options = configured.get("OPTIONS") or {}
        if not isinstance(options, dict):
            raise ImproperlyConfigured(f"{where}: OPTIONS must be a dict, got {options!r}.")
        namespace = _namespace(configured.get("NAMESPACE") or "", where)
        try:
            return backend(alias, namespace=namespace, **options)
        except InvalidEventError as error:
            raise ImproperlyConfigured(f"{where}: {error}") from error
        except TypeError as error:
            raise ImproperlyConfigured(f"{where}: wrong OPTIONS: {error}") from error


event_stores = EventStoreHandler()
event_store: EventStore = ConnectionProxy(event_stores, "default")  # type: ignore[assignment]


def _where(alias: str) -> str:
    return f"EVENT_STORES[{alias!r}]"


def _entry(alias: str, configured: Any) -> Any:
    """Return what ``EVENT_STORES`` says of a store, an address spelt out."""
    if not isinstance(configured, str):
        return configured
    try:
        entry = event_store_url(configured)
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(f"{_where(alias)}: {error}") from error
    if entry["OPTIONS"].keys() & {"password", "token"}:
        raise ImproperlyConfigured(
            f"{_where(alias)}: an address with a password or a token must go through "
            f"django_eventstore.conf.event_store_url(), or Django's error pages show it."
        )
    return entry


def _namespace(configured: object, where: str) -> str | Callable[[], str]:
    """Return the text, or the callable that the text is the dotted path of."""
    if callable(configured):
        return configured
    if not isinstance(configured, str):
        raise ImproperlyConfigured(
            f"{where}: NAMESPACE must be text or a dotted path, got {type(configured).__name__}."
        )
    package, dot, _ = configured.partition(".")
    # "eu.orders" is a name; "shop.tenants.current" is a path where there is a package "shop".
    if not (dot and package.isidentifier() and importlib.util.find_spec(package)):
        return configured
    try:
        found = import_string(configured)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{where}: cannot import the NAMESPACE callable {configured!r}: {error}. (Text whose "
            f"first part names a package is taken for the path of a callable.)"
        ) from error
    if not callable(found):
        raise ImproperlyConfigured(f"{where}: NAMESPACE {configured!r} is not callable.")
    return found  # type: ignore[no-any-return]


def _configure_anew(*, setting: str, **kwargs: Any) -> None:
    """Let ``override_settings(EVENT_STORES=...)`` take effect at once."""
    if setting == "EVENT_STORES":
        if "settings" in event_stores.__dict__:
            event_stores.close_all()
            del event_stores.__dict__["settings"]
        # As Django does for caches and databases (django.test.signals).
        event_stores._settings = None  # type: ignore[attr-defined]  # noqa: SLF001
        connections = Local(event_stores.thread_critical)
        event_stores._connections = connections  # type: ignore[attr-defined]  # noqa: SLF001


setting_changed.connect(_configure_anew, dispatch_uid="django_eventstore.conf")

_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def event_store_url(url: str) -> dict[str, Any]:
    """Return the ``EVENT_STORES`` entry that an address describes.

    For use with django-environ::

        EVENT_STORES = {"default": event_store_url(env("EVENT_STORE_URL"))}

    An address without a password or token may also stand there as it is: ``"db://default"``.

    ``db://default`` (a database alias), ``memory://`` (or ``memory://location``),
    ``nats://user:password@host:4222,host2:4222/stream_name?namespace=prod&replicas=3`` (or
    ``tls://``). The query names options: whole numbers, ``true`` and ``false``, and durations
    such as ``90s``, ``15m``, ``12h`` and ``365d`` are recognised.

    Raises:
        ImproperlyConfigured: it is no such address. A password in it is not shown.
    """
    parts = _split(url)
    options: dict[str, Any] = {}
    namespace = ""
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "namespace":
            namespace = value
        else:
            options[name] = _option(value)
    login, _, hosts = parts.netloc.rpartition("@")
    path = unquote(parts.path.strip("/"))
    if parts.scheme == "db":
        options["database"] = hosts or "default"
    elif parts.scheme == "memory":
        options["location"] = hosts
    else:
        if hosts:
            options["servers"] = [f"{parts.scheme}://{host}" for host in hosts.split(",") if host]
        if path:
            options["stream_name"] = path
        user, colon, password = login.partition(":")
        if colon:
            options["user"], options["password"] = unquote(user), unquote(password)
        elif login:
            options["token"] = unquote(login)
    return {"BACKEND": BACKENDS[parts.scheme], "NAMESPACE": namespace, "OPTIONS": options}


def _split(url: str) -> SplitResult:
    """Return the parts of an event store's address; a password is in no error."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and "://" in url else None
    except ValueError:
        parts = None  # and not chained: the error may show the address, with its password
    if parts is None:
        raise ImproperlyConfigured(
            "An event store's address looks like db://default, memory:// or "
            "nats://host:4222/stream_name."
        )
    if parts.scheme not in BACKENDS:
        raise ImproperlyConfigured(
            f"Unknown scheme {parts.scheme!r} in an event store's address; known are "
            f"{', '.join(sorted(BACKENDS))}."
        )
    login = parts.netloc.rpartition("@")[0]
    if parts.fragment or "@" in login:
        raise ImproperlyConfigured(
            "An event store's address has one login, before the hosts, and no '#'. In a user name "
            "or password write %23 for '#', %40 for '@' and %2F for '/'."
        )
    if parts.scheme in ("db", "memory") and (login or parts.path.strip("/")):
        raise ImproperlyConfigured(
            f"An event store's address of {parts.scheme}:// is one name, without login or path."
        )
    return parts


def _option(value: str) -> Any:
    if value.isascii() and value.isdecimal():
        return int(value)
    if value in ("true", "false"):
        return value == "true"
    duration = parse_duration(value)
    return value if duration is None else duration


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that text such as ``90s``, ``15m``, ``12h`` or ``365d`` says, or None."""
    found = _DURATION.fullmatch(text)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})
