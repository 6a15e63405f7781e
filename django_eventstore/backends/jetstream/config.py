"""The options of a JetStream store."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import nkeys
from django.core.exceptions import ImproperlyConfigured

from ..base import StoreOptions

SECRETS: Final = frozenset({"password", "token", "nkey_seed"})
_STREAM_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_CREDENTIALS_MARKS = (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")
_PASSWORD = re.compile(r"(?<=//)[^/@\s]*@")

MAX_REPLICAS: Final = 5
"""As many as NATS keeps at the most."""

HEAD_LIFETIME: Final = timedelta(minutes=5)
"""How long a cached head of an actor is used. Nothing younger than twice this may ever leave the
stream: a head older than the newest append of its actor must not point at a freed subject."""


@dataclass(frozen=True, kw_only=True)
class JetStreamConfig(StoreOptions):
    """The options of JetStreamEventStore.

    Attributes:
        servers: addresses such as ``nats://host:4222`` (or ``tls://``); any one of a cluster
            will do.
        stream_name: the events' stream, behind the namespace; letters, digits, ``_`` and ``-``.
        max_age: how long events are kept; None: for ever.
        replicas: on how many servers of the cluster each event is kept: 1, 3 or 5. More than 1
            needs a cluster of as many servers.
        storage: ``file`` or ``memory``.
        duplicate_window: for how long the server remembers event ids, to tell an id that comes
            again for another actor. (Within one actor that is found at any time.)
        compression: ``none`` or ``s2`` (servers from 2.10).
        deny_delete: have the server refuse to delete single messages. Cannot be taken back.
        deny_purge: have the server refuse to purge the stream, and with it pruning. Cannot be
            taken back.
        allow_direct: let every replica answer reads, not only the leader.
        allow_atomic: append events of several actors all or none (servers from 2.12).
        placement_cluster: the cluster to keep the stream in.
        placement_tags: tags of the servers to keep the stream on.
        domain: the JetStream domain, on a leaf node.
        user, password, token: how to log in. (May also stand in the address.)
        credentials: path of a ``.creds`` file.
        nkey_file: path of a file with an nkey seed.
        nkey_seed: the nkey seed itself.
        tls: ``True`` for TLS with the system's certificates, or an ``ssl.SSLContext``. With any
            TLS option, or a ``tls://`` address, a server that offers no TLS is not used.
        tls_ca_file: path of the certificates to trust.
        tls_cert_file, tls_key_file: paths of the client's certificate and key.
        tls_hostname: the name that the server's certificate must have.
        timeout: seconds that a call may take at most.
        connect_timeout: seconds that connecting to one server may take.
        version_cache: the alias of a Django cache that keeps the actors' latest versions for
            all processes; absent: each process keeps its own.
        version_cache_size: how many actors a process keeps.

    Raises:
        ImproperlyConfigured: a value is wrong; names the option, and never shows a password.
    """

    servers: list[str] = field(default_factory=lambda: ["nats://127.0.0.1:4222"], repr=False)
    stream_name: str = "events"
    max_age: timedelta | None = timedelta(days=365)
    replicas: int = 1
    storage: str = "file"
    duplicate_window: timedelta = timedelta(minutes=2)
    compression: str = "none"
    deny_delete: bool = False
    deny_purge: bool = False
    allow_direct: bool = True
    allow_atomic: bool = True
    placement_cluster: str = ""
    placement_tags: list[str] = field(default_factory=list)
    domain: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials: str = ""
    nkey_file: str = ""
    nkey_seed: str = field(default="", repr=False)
    tls: bool | ssl.SSLContext = False
    tls_ca_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_hostname: str = ""
    timeout: float = 5.0
    connect_timeout: float = 2.0
    version_cache: str = ""
    version_cache_size: int = 100_000

    def __post_init__(self) -> None:
        for name in ("servers", "placement_tags"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, [part for part in value.split(",") if part])
            elif isinstance(value, tuple):
                object.__setattr__(self, name, list(value))
        super().__post_init__()
        if not self.servers:
            object.__setattr__(self, "servers", ["nats://127.0.0.1:4222"])
        for server in self.servers:
            _check_server(server)
        if not _STREAM_NAME.fullmatch(self.stream_name):
            raise ImproperlyConfigured(
                f"stream_name must be 1 to 80 letters, digits, _ or -, got {self.stream_name!r}."
            )
        for name, choices in (("storage", ("file", "memory")), ("compression", ("none", "s2"))):
            if getattr(self, name) not in choices:
                raise ImproperlyConfigured(
                    f"{name} must be {' or '.join(choices)}, got {getattr(self, name)!r}."
                )
        if self.replicas > MAX_REPLICAS:
            raise ImproperlyConfigured(
                f"replicas must be at most {MAX_REPLICAS} (NATS keeps no more), got "
                f"{self.replicas}."
            )
        if self.max_age is not None and self.max_age < 2 * HEAD_LIFETIME:
            raise ImproperlyConfigured(
                f"max_age must be at least {2 * HEAD_LIFETIME} (writers rely on recent events to "
                f"be there), got {self.max_age}; None keeps events for ever."
            )
        if self.max_age is not None and self.duplicate_window > self.max_age:
            raise ImproperlyConfigured("duplicate_window must not be longer than max_age.")

    @property
    def safe_servers(self) -> list[str]:
        """The addresses, for people: without what stands in them to log in."""
        return [_PASSWORD.sub("", server) for server in self.servers]

    def login(self) -> dict[str, Any]:
        """Return what decides which connection is used, as ``Client.connect()`` takes it.

        Raises:
            ImproperlyConfigured: a file that an option names cannot be used.
        """
        self._check_credentials()
        options: dict[str, Any] = {
            "servers": list(self.servers),
            "connect_timeout": self.connect_timeout,
            "user": self.user or None,
            "password": self.password or None,
            "token": self.token or None,
            "user_credentials": self.credentials or None,
            "nkeys_seed": self.nkey_file or None,
            "nkeys_seed_str": self.nkey_seed or None,
            "tls": self._tls_context(),
            "tls_hostname": self.tls_hostname or None,
        }
        return {name: value for name, value in options.items() if value is not None}

    # Text, and made once: it is looked up by several times in each call.
    @cached_property
    def connection_key(self) -> str:
        """What stores must have in common to share a connection."""
        names = ("connect_timeout", "user", "password", "token", "credentials", "nkey_file")
        more = ("nkey_seed", "tls", "tls_ca_file", "tls_cert_file", "tls_key_file", "tls_hostname")
        return repr([self.servers, *(getattr(self, name) for name in names + more)])

    @cached_property
    def stream_key(self) -> str:
        """What stores must have in common to use the same streams in the same way."""
        return repr([self.connection_key, self.domain, self.stream_name, self.version_cache])

    def _tls_context(self) -> ssl.SSLContext | None:
        if isinstance(self.tls, ssl.SSLContext):
            return self.tls
        if not (self.tls or self.tls_ca_file or self.tls_cert_file):
            return None
        for name in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
            self._read_file(name)
        option = "tls_ca_file"
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file or None)
            option = "tls_cert_file or tls_key_file"
            if self.tls_cert_file:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file or None)
        except ssl.SSLError as error:
            raise ImproperlyConfigured(f"{option} cannot be used: {error.reason}.") from error
        return context

    def _check_credentials(self) -> None:
        # What is wrong here nats-py finds out while connecting, where nobody is told.
        text = self._read_file("credentials")
        if self.credentials and not all(mark in text for mark in _CREDENTIALS_MARKS):
            raise ImproperlyConfigured(
                f"credentials: {self.credentials!r} is no .creds file: it holds a user's JWT and "
                f"nkey seed, each between lines of dashes."
            )
        for name, seed in (
            ("nkey_file", self._read_file("nkey_file")),
            ("nkey_seed", self.nkey_seed.encode()),
        ):
            if not getattr(self, name):
                continue
            try:
                nkeys.from_seed(bytearray(seed.strip())).wipe()
            except (nkeys.NkeysError, ValueError) as error:
                raise ImproperlyConfigured(f"{name}: no nkey seed (they begin with SU).") from error

    def _read_file(self, name: str) -> bytes:
        """Return what is in the file that an option names; empty if it names none."""
        path = getattr(self, name)
        try:
            return Path(path).read_bytes() if path else b""
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}: cannot read {path!r}: {error.strerror}."
            ) from error

    def shown(self) -> dict[str, Any]:
        """Return the options, for people: secrets are left out."""
        return {
            option.name: self.safe_servers if option.name == "servers" else value
            for option in fields(self)
            if option.name not in SECRETS and (value := getattr(self, option.name)) != ""
        }


def _check_server(server: object) -> None:
    if not isinstance(server, str):
        raise ImproperlyConfigured(
            f"servers must be a list of addresses, got {type(server).__name__} in it."
        )
    try:
        parts = urlsplit(server)
        known = parts.scheme in ("nats", "tls") and parts.hostname and (parts.port or True)
    except ValueError:
        known = False
    if not known:
        raise ImproperlyConfigured(
            f"servers: {_PASSWORD.sub('', server)!r} is no address; write nats://host:4222 or "
            f"tls://host:4222."
        )
