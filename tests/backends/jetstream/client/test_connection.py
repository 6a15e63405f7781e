"""Logging in, TLS, and what a connection tells of itself."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import socket
import ssl
import string
import struct
import threading
from urllib.parse import urlparse

import pytest
import trustme
from django.core.exceptions import ImproperlyConfigured
from nats.errors import Error as NatsError

from django_eventstore import Event, EventTooLargeError, Snapshot, StoreUnavailableError
from django_eventstore.backends.jetstream.client.wire import Wire
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


def test_what_a_server_said_is_read_though_it_reset_the_connection():
    async def talk():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            wire = Wire(b"inbox.", lambda *_: None)
            await wire.connect(urlparse(f"nats://127.0.0.1:{listener.getsockname()[1]}"), 1024, 5)
            server, _ = listener.accept()
            server.sendall(b"+OK\r\n-ERR 'Authorization Violation'\r\n")
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            wire.write(b"PING\r\n")
            await wire.drain()
            assert await wire.readline() == b"+OK\r\n"
            with pytest.raises(NatsError, match="Authorization Violation"):
                await wire.readline()
            with pytest.raises(ConnectionError):
                await wire.readline()
            wire.close()

    asyncio.run(talk())


def test_a_server_that_takes_no_more_connections_says_so():
    with NatsServer(config="max_connections: 1") as server:
        open_store(server.url).save_event(Event("order-1", "placed"))
        with pytest.raises(StoreUnavailableError, match="maximum connections exceeded"):
            open_store(server.url, timeout=1.0, connect_timeout=2.5).count_events()


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The paths of an authority's certificate, and of a server's certificate and key."""
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    return directory


@pytest.fixture
def tls_server(certificates):
    config = f"""
    tls {{
      cert_file: "{certificates}/cert.pem"
      key_file: "{certificates}/key.pem"
      ca_file: "{certificates}/ca.pem"
      verify: true
    }}
    """
    with NatsServer(config=config) as server:
        yield server


def test_tls(certificates, tls_server):
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    for options in (
        {"tls": context},
        {
            "tls_ca_file": str(certificates / "ca.pem"),
            "tls_cert_file": str(certificates / "cert.pem"),
            "tls_key_file": str(certificates / "key.pem"),
        },
    ):
        store = open_store(tls_server.url.replace("nats:", "tls:"), **options)
        latest = store.get_latest_version("order-1")
        saved = [store.save_event(Event("order-1", "n", {"text": "x" * 50_000})) for _ in range(20)]
        assert store.get_events("order-1", latest + 1) == saved
        threads = [
            threading.Thread(target=store.save_event, args=(Event(f"order-{n}", "placed"),))
            for n in range(2, 10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.get_actors()) == 9
    tls_server.restart()
    assert store.get_latest_version("order-1") == 40


def test_a_server_that_cannot_prove_who_it_is_is_refused(certificates, tls_server):
    store = open_store(tls_server.url, timeout=1.0, tls=True)
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        store.save_event(Event("order-1", "placed"))


@pytest.mark.parametrize("options", [{"tls": True}, {}], ids=["option", "address"])
def test_nothing_is_said_in_clear_where_tls_is_asked_for(options):
    with NatsServer(config='authorization { user: "shop", password: "s3cret" }') as server:
        url = server.url if options else server.url.replace("nats:", "tls:")
        store = open_store(url, user="shop", password="s3cret", timeout=0.5, **options)
        with pytest.raises(StoreUnavailableError, match="offers no TLS"):
            store.count_events()


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


def test_a_server_without_jetstream_is_an_error_in_time():
    with (
        NatsServer(jetstream=False) as server,
        pytest.raises(StoreUnavailableError, match="Is JetStream enabled"),
    ):
        open_store(server.url, timeout=0.5).save_event(Event("order-1", "placed"))


def test_threads_tasks_and_store_objects_share_one_connection(nats_server):
    before = nats_server.monitor("connz")["num_connections"]
    store = open_store(nats_server.url, "one-connection", connect_timeout=2.5)

    def work(number):
        own = open_store(nats_server.url, f"one-connection-{number}", connect_timeout=2.5)
        own.save_event(Event("order-1", "placed"))
        asyncio.run(own.asave_event(Event("order-1", "paid")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.save_event(Event("order-1", "placed"))
    assert nats_server.monitor("connz")["num_connections"] == before + 1


def test_a_cancelled_task_leaves_everything_usable(nats_server):
    store = open_store(nats_server.url, "cancelled")

    async def use():
        for _ in range(20):
            task = asyncio.create_task(store.asave_event(Event("order-1", "placed")))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        saved = await store.asave_event(Event("order-1", "paid"))
        events = await store.aget_events("order-1")
        assert events[-1] == saved
        assert [event.version for event in events] == list(range(1, saved.version + 1))

    asyncio.run(use())


def test_the_largest_events_and_appends_fit(nats_server):
    store = open_store(nats_server.url, "large")
    largest = Event("order-1", "placed", {"text": "x" * (1_000_000 - 13)})
    assert store.save_event(largest).data == largest.data
    assert store.get_events("order-1")[0].data == largest.data
    many = [Event("order-2", "counted", {"n": n}) for n in range(5000)]
    store.save_events(many)
    assert [event.data for event in store.get_events("order-2")] == [e.data for e in many]
    with NatsServer(config="max_payload: 20000") as small:
        store = open_store(small.url)
        with pytest.raises(EventTooLargeError) as caught:
            store.save_event(Event("order-1", "placed", {"text": random_text(40_000)}))
        assert caught.value.size > caught.value.limit > 10_000
        assert store.get_latest_version("order-1") == 0
        with pytest.raises(EventTooLargeError):
            store.save_snapshot(Snapshot("order-1", 1, random_text(40_000)))


def random_text(length):
    return "".join(random.choices(string.printable.strip(), k=length))
