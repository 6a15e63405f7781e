"""Events of the sample project's domain, made up."""

from __future__ import annotations

import factory
from permits import events

from django_eventstore import Event


class _EventFactory(factory.Factory):
    class Meta:
        abstract = True

    class Params:
        application = factory.Sequence(lambda number: f"application-2024-{number:05}")

    application_id = factory.SelfAttribute("application")

    @classmethod
    def _build(cls, model_class, application_id, **fields):
        return model_class(application_id, **fields)

    _create = _build


class ApplicationSubmittedFactory(_EventFactory):
    class Meta:
        model = events.application_submitted

    applicant = factory.Faker("name")
    work = factory.Iterator(["dormer", "extension", "barn"])
    address = factory.Faker("street_address")
    cost = factory.Faker("pyint", min_value=300, max_value=650_000)
    channel = factory.Iterator(["internet", "desk", "post"])


class CaseAssignedFactory(_EventFactory):
    class Meta:
        model = events.case_assigned

    handler = factory.Faker("user_name")


class NoteAddedFactory(_EventFactory):
    class Meta:
        model = events.note_added

    text = factory.Faker("sentence")


def application_history(application_id: str, notes: int = 0) -> list[Event]:
    """Return an application's first events, versions given."""
    made = [
        ApplicationSubmittedFactory(application=application_id),
        CaseAssignedFactory(application=application_id),
        *NoteAddedFactory.build_batch(notes, application=application_id),
    ]
    return [
        Event(event.actor_id, event.event_type, event.data, version=version)
        for version, event in enumerate(made, 1)
    ]
