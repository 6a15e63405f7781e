"""What clients of the load test ask for: the sample project's domain over HTTP."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from permits import commands, events
from permits.state import INITIAL, apply

from django_eventstore import Event, VersionConflictError, event_store


def submit(request: HttpRequest, application_id: str) -> JsonResponse:
    saved = commands.submit(
        application_id, applicant="Anna Smit", work="dormer", address="Brink 1", cost=9_000
    )
    return JsonResponse({"version": saved[-1].version}, status=201)


def note(request: HttpRequest, application_id: str) -> JsonResponse:
    def decide(state: dict) -> Event:
        return events.note_added(application_id, text=f"Note {state['notes'] + 1}.")

    try:
        [saved] = event_store.update(application_id, decide, apply, INITIAL, retries=20)
    except VersionConflictError as conflict:
        return JsonResponse({"conflict": conflict.current_version}, status=409)
    return JsonResponse({"version": saved.version}, status=201)


def state(request: HttpRequest, application_id: str) -> JsonResponse:
    replayed = event_store.replay(application_id, apply, INITIAL)
    return JsonResponse({"state": replayed.state, "version": replayed.version})


def latest(request: HttpRequest, application_id: str) -> JsonResponse:
    return JsonResponse({"version": event_store.get_latest_version(application_id)})


def recent(request: HttpRequest) -> JsonResponse:
    newest = event_store.read_all(reverse=True, limit=20)
    return JsonResponse({"events": [event.to_dict() for event in newest]})


def actors(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"actors": [actor.actor_id for actor in event_store.get_actors(limit=20)]})


urlpatterns = [
    path("submit/<application_id>", csrf_exempt(submit)),
    path("note/<application_id>", csrf_exempt(note)),
    path("state/<application_id>", state),
    path("latest/<application_id>", latest),
    path("recent", recent),
    path("actors", actors),
    path("", include("sample.urls")),
]
