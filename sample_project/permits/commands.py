"""What people do with an application: each decides on the state, and saves events.

``update()`` saves at the version that the decision saw, and decides again when somebody else was
first: two colleagues cannot both take one decision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from django_eventstore import Event, event_store

from . import events
from .state import INITIAL, State, apply

WEEKS_TO_DECIDE = 8
OPEN = ("submitted", "in progress", "waiting for documents")


class PermitError(Exception):
    """The rules do not allow it; the message says why, for the person who tried."""


def submit(
    application_id: str,
    *,
    applicant: str,
    work: str,
    address: str,
    cost: int,
    channel: str = "internet",
) -> list[Event]:
    """Submit an application; its receipt is confirmed at once."""

    def decide(state: State) -> list[Event]:
        if state["status"] != "none":
            raise PermitError(f"{application_id} was submitted already.")
        submitted = events.application_submitted(
            application_id,
            applicant=applicant,
            work=work,
            address=address,
            cost=cost,
            channel=channel,
        )
        decide_by = date.today() + timedelta(weeks=WEEKS_TO_DECIDE)  # noqa: DTZ011 - a local date
        confirmed = events.receipt_confirmed(application_id, decide_by=decide_by.isoformat())
        return [submitted, confirmed.caused_by(submitted)]

    return event_store.update(application_id, decide, apply, INITIAL)


def assign(application_id: str, handler: str) -> list[Event]:
    """Give the case to a colleague; nothing happens where it is hers already."""

    def decide(state: State) -> list[Event]:
        if state["handler"] == handler:
            return []
        return [events.case_assigned(application_id, handler=handler)]

    return _update_open(application_id, decide)


def request_documents(application_id: str, documents: list[str]) -> list[Event]:
    """Ask the applicant for documents; those that were asked for before are left out."""

    def decide(state: State) -> list[Event]:
        new = [name for name in documents if name not in state["missing_documents"]]
        return [events.documents_requested(application_id, documents=new)] if new else []

    return _update_open(application_id, decide)


def receive_documents(application_id: str, documents: list[str]) -> list[Event]:
    """Put documents into the file."""
    return _update_open(
        application_id,
        lambda state: [events.documents_received(application_id, documents=documents)],
    )


def grant(application_id: str, conditions: list[str]) -> list[Event]:
    """Give the permit: everything must be in, and paid."""

    def decide(state: State) -> list[Event]:
        if state["missing_documents"]:
            raise PermitError(f"Documents are missing: {', '.join(state['missing_documents'])}.")
        if state["fee_due_cents"] > 0:
            raise PermitError(f"A fee of {state['fee_due_cents'] / 100:.2f} euro is not paid.")
        return [events.permit_granted(application_id, conditions=conditions)]

    return _update_open(application_id, decide)


def refuse(application_id: str, grounds: str) -> list[Event]:
    """Refuse the permit."""
    return _update_open(
        application_id, lambda state: [events.permit_refused(application_id, grounds=grounds)]
    )


def withdraw(application_id: str) -> list[Event]:
    """Withdraw the application."""
    return _update_open(
        application_id, lambda state: [events.application_withdrawn(application_id)]
    )


def _update_open(application_id: str, decide: Callable[[State], list[Event]]) -> list[Event]:
    def decide_if_open(state: State) -> list[Event]:
        if state["status"] not in OPEN:
            raise PermitError(f"{application_id} is not open: its status is {state['status']}.")
        return decide(state)

    return event_store.update(application_id, decide_if_open, apply, INITIAL)
