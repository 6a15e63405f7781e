"""What can happen to an application for a building permit: one function for each event."""

from __future__ import annotations

from django_eventstore import Event


def application_submitted(
    application_id: str, *, applicant: str, work: str, address: str, cost: int, channel: str
) -> Event:
    """Somebody asks for a permit; ``cost`` of the work in whole euros."""
    return Event(
        application_id,
        "ApplicationSubmitted",
        {
            "applicant": applicant,
            "work": work,
            "address": address,
            "cost": cost,
            "channel": channel,
        },
    )


def receipt_confirmed(application_id: str, *, decide_by: str) -> Event:
    """The municipality confirms the application; ``decide_by`` is an ISO 8601 date."""
    return Event(application_id, "ReceiptConfirmed", {"decide_by": decide_by})


def case_assigned(application_id: str, *, handler: str) -> Event:
    """A colleague takes the case."""
    return Event(application_id, "CaseAssigned", {"handler": handler})


def documents_requested(application_id: str, *, documents: list[str]) -> Event:
    """Documents are missing."""
    return Event(application_id, "DocumentsRequested", {"documents": documents})


def documents_received(application_id: str, *, documents: list[str]) -> Event:
    """Documents came in."""
    return Event(application_id, "DocumentsReceived", {"documents": documents})


def fee_charged(application_id: str, *, cents: int) -> Event:
    """The applicant owes a fee, in euro cents."""
    return Event(application_id, "FeeCharged", {"cents": cents})


def fee_paid(application_id: str, *, cents: int) -> Event:
    """The applicant paid, in euro cents."""
    return Event(application_id, "FeePaid", {"cents": cents})


def advice_requested(application_id: str, *, adviser: str) -> Event:
    """Another body is asked for its advice."""
    return Event(application_id, "AdviceRequested", {"adviser": adviser})


def advice_given(application_id: str, *, adviser: str, favourable: bool) -> Event:
    """The other body answers."""
    return Event(application_id, "AdviceGiven", {"adviser": adviser, "favourable": favourable})


def site_inspected(application_id: str, *, findings: str) -> Event:
    """An inspector went to have a look."""
    return Event(application_id, "SiteInspected", {"findings": findings})


def note_added(application_id: str, *, text: str) -> Event:
    """A colleague writes something into the file."""
    return Event(application_id, "NoteAdded", {"text": text})


def permit_granted(application_id: str, *, conditions: list[str]) -> Event:
    """The permit is given."""
    return Event(application_id, "PermitGranted", {"conditions": conditions})


def permit_refused(application_id: str, *, grounds: str) -> Event:
    """The permit is not given."""
    return Event(application_id, "PermitRefused", {"grounds": grounds})


def application_withdrawn(application_id: str) -> Event:
    """The applicant thinks better of it."""
    return Event(application_id, "ApplicationWithdrawn")


def objection_filed(application_id: str, *, by: str) -> Event:
    """Somebody objects to the decision."""
    return Event(application_id, "ObjectionFiled", {"by": by})


def objection_decided(application_id: str, *, upheld: bool) -> Event:
    """The objection is decided; one that is upheld opens the case again."""
    return Event(application_id, "ObjectionDecided", {"upheld": upheld})
