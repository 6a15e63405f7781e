"""The request middleware."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory

from django_eventstore import Event
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.events.metadata import current_event_metadata
from django_eventstore.middleware import EventMetadataMiddleware

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def metadata_of(headers=None, user=None):
    """Return the metadata of an event that is saved in a view."""
    store = InMemoryEventStore()

    def view(request):
        store.save_event(Event("order-1", "placed"))
        return HttpResponse()

    request = RequestFactory().get("/", headers=headers or {})
    if user is not None:
        request.user = user
    EventMetadataMiddleware(view)(request)
    assert current_event_metadata() == {}
    (event,) = store.read_all()
    return event.metadata


def test_who_does_it():
    user = SimpleNamespace(pk=42, is_authenticated=True)
    assert metadata_of(user=user)["user_id"] == "42"
    assert "user_id" not in metadata_of(user=AnonymousUser())
    assert "user_id" not in metadata_of()


def test_the_user_is_looked_up_only_when_an_event_is_saved():
    class Request(SimpleNamespace):
        @property
        def user(self):
            raise AssertionError("looked up")

    request = Request(headers={})
    assert EventMetadataMiddleware(lambda request: "response")(request) == "response"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-ID": "r-1"}, "r-1"),
        ({"X-Correlation-ID": "c-1"}, "c-1"),
        ({"X-Correlation-ID": "c-1", "X-Request-ID": "r-1"}, "c-1"),
        ({"X-Correlation-ID": "bad one", "X-Request-ID": "r-1"}, "r-1"),
        ({"X-Correlation-ID": "x" * 128}, "x" * 128),
    ],
)
def test_what_belongs_together(headers, expected):
    assert metadata_of(headers)["correlation_id"] == expected


@pytest.mark.parametrize("wrong", ["", " ", "a b", "é", "a\r\nb", "x" * 129])
def test_a_header_that_is_no_id_is_passed_over(wrong):
    correlation_id = metadata_of({"X-Request-ID": wrong})["correlation_id"]
    assert correlation_id != wrong
    assert len(correlation_id) == 36


def test_each_request_is_one_of_its_own():
    assert metadata_of()["correlation_id"] != metadata_of()["correlation_id"]


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f" 00-{TRACE}-{SPAN}-01 ",
        f"cc-{TRACE}-{SPAN}-01-what the future adds",
    ],
)
def test_the_trace(header):
    metadata = metadata_of({"traceparent": header})
    assert (metadata["trace_id"], metadata["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_a_malformed_trace_is_passed_over(header):
    metadata = metadata_of({"traceparent": header})
    assert metadata.keys() == {"correlation_id"}


def test_an_asynchronous_view():
    store = InMemoryEventStore()

    async def view(request):
        await store.asave_event(Event("order-1", "placed"))
        return HttpResponse()

    middleware = EventMetadataMiddleware(view)
    assert iscoroutinefunction(middleware)
    request = RequestFactory().get("/", headers={"X-Request-ID": "r-1"})
    request.user = SimpleNamespace(pk=7, is_authenticated=True)
    asyncio.run(middleware(request))
    (event,) = store.read_all()
    assert event.metadata == {"user_id": "7", "correlation_id": "r-1"}
