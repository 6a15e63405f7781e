"""Logging in, and what is shown of the secrets: nothing."""

from __future__ import annotations

import base64
import json
import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_eventstore import Event, StoreUnavailableError
from tests.servers import NatsServer
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")
LOGINS = {
    "user and password": (
        'authorization { user: "shop", password: "s3cret word" }',
        {"user": "shop", "password": "s3cret word"},
    ),
    "token": ('authorization { token: "s3cret" }', {"token": "s3cret"}),
}


@pytest.mark.parametrize(("config", "options"), LOGINS.values(), ids=LOGINS.keys())
def test_logging_in(config, options):
    with NatsServer(config=config) as server:
        store = open_store(server.url, **options)
        saved = store.save_event(Event("order-1", "placed"))
        assert store.get_events("order-1") == [saved]
        # A refusal is told at once: nobody here waits for an hour.
        refusal = r"refuses the login .*Authorization Violation"
        with pytest.raises(StoreUnavailableError, match=refusal) as caught:
            open_store(server.url, timeout=3600).save_event(Event("order-1", "paid"))
        assert not caught.value.outcome_unknown
        # Another one, with the wrong secret, shows it to nobody.
        wrong = {name: f"wrong-{value}" for name, value in options.items()}
        with pytest.raises(StoreUnavailableError, match=refusal) as caught:
            open_store(server.url, timeout=3600, **wrong).get_latest_version("order-1")
        assert "wrong-" not in f"{caught.value}{caught.value.__cause__!r}"


def test_a_password_in_the_address_is_used_and_not_shown():
    with NatsServer(config='authorization { user: "shop", password: "s3cret" }') as server:
        url = server.url.replace("//", "//shop:s3cret@")
        store = open_store(url)
        store.save_event(Event("order-1", "placed"))
        assert "s3cret" not in f"{store!r}{store.describe()}{store.options!r}"
        server.stop()
        with pytest.raises(StoreUnavailableError) as caught:
            open_store(url, timeout=0.5).save_event(Event("order-1", "paid"))
        assert "s3cret" not in str(caught.value)


def test_a_password_that_is_changed_and_changed_back():
    right = 'authorization { user: "shop", password: "s3cret" }'
    with NatsServer(config=right) as server:
        store = open_store(server.url, user="shop", password="s3cret")
        store.save_event(Event("order-1", "placed"))
        server.config = right.replace("s3cret", "another")
        server.restart()
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match="refuses the login"):
                store.save_event(Event("order-1", "paid"))
        server.config = right
        server.restart()
        assert store.save_event(Event("order-1", "paid")).version == 2


def test_an_nkey(tmp_path):
    nkeys = pytest.importorskip("nkeys")
    pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    seed = bytes(pair.seed).decode()
    config = f'authorization {{ users: [{{ nkey: "{pair.public_key.decode()}" }}] }}'
    (tmp_path / "seed.nk").write_text(seed)
    with NatsServer(config=config) as server:
        for options in ({"nkey_seed": seed}, {"nkey_file": str(tmp_path / "seed.nk")}):
            store = open_store(server.url, **options)
            store.save_event(Event("order-1", "placed"))
        assert store.get_latest_version("order-1") == 2
        assert seed not in repr(store.options)


def signed(claims, issuer):
    """Return a JWT of `claims`, as NATS has them: signed with the nkey `issuer`."""

    def part(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    claims = {"iss": issuer.public_key.decode(), "jti": "1", "iat": 1, **claims}
    text = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
    return b".".join([text, part(issuer.sign(text))]).decode()


def test_a_credentials_file(tmp_path):
    nkeys = pytest.importorskip("nkeys")

    def key(prefix):
        return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))

    operator = key(nkeys.PREFIX_BYTE_OPERATOR)
    account, system = key(nkeys.PREFIX_BYTE_ACCOUNT), key(nkeys.PREFIX_BYTE_ACCOUNT)
    user, other = key(nkeys.PREFIX_BYTE_USER), key(nkeys.PREFIX_BYTE_USER)

    def claims(holder, kind, **nats):
        return {"sub": holder.public_key.decode(), "nats": {"type": kind, "version": 2, **nats}}

    no_limit = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1}
    jetstream = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    limits = {**no_limit, "leaf": -1, "wildcards": True, **jetstream}
    accounts = [
        f"{each.public_key.decode()}: {signed(claims(each, 'account', limits=held), operator)}"
        for each, held in ((account, limits), (system, no_limit))
    ]
    user_jwt = signed(claims(user, "user", subs=-1, data=-1, payload=-1), account)
    config = f"""
    operator: {signed(claims(operator, "operator"), operator)}
    system_account: {system.public_key.decode()}
    resolver: MEMORY
    resolver_preload: {{ {", ".join(accounts)} }}
    """

    def credentials(name, pair):
        path = tmp_path / name
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{bytes(pair.seed).decode()}\n"
            f"------END USER NKEY SEED------\n"
        )
        return str(path)

    with NatsServer(config=config) as server:
        store = open_store(server.url, credentials=credentials("right.creds", user))
        saved = store.save_event(Event("order-1", "placed"))
        assert store.get_events("order-1") == [saved]
        stranger = open_store(server.url, credentials=credentials("wrong.creds", other))
        with pytest.raises(StoreUnavailableError, match="refuses the login"):
            stranger.get_events("order-1")


@pytest.mark.parametrize(
    ("option", "content"),
    [
        ("credentials", None),
        ("credentials", "-----BEGIN NATS USER JWT-----"),
        ("nkey_file", None),
        ("nkey_file", "s3cret"),
        ("tls_ca_file", None),
        ("tls_ca_file", "s3cret"),
        ("tls_cert_file", "s3cret"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, option, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ImproperlyConfigured, match=option) as caught:
        open_store("nats://127.0.0.1:4", **{option: str(path)}).get_events("order-1")
    assert "s3cret" not in str(caught.value)


def test_a_seed_that_is_none_is_not_shown():
    with pytest.raises(ImproperlyConfigured, match="nkey_seed") as caught:
        open_store("nats://127.0.0.1:4", nkey_seed="SUs3cret").get_events("order-1")
    assert "s3cret" not in str(caught.value)
