"""TLS."""

from __future__ import annotations

import ssl
import threading

import pytest
import trustme

from django_eventstore import Event, StoreUnavailableError
from tests.servers import NatsServer
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")


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
