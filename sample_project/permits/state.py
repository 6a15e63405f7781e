"""The state of an application: a fold over its events."""

from __future__ import annotations

from typing import Any

from django_eventstore import Event

State = dict[str, Any]
Data = dict[str, Any]

INITIAL: State = {"status": "none"}


def apply(state: State, event: Event) -> State:
    """Return the state after ``event``; an event type that it does not know changes nothing."""
    change = _CHANGES.get(event.event_type)
    return state if change is None else {**state, **change(state, event.data)}


def _submitted(state: State, data: Data) -> State:
    return {
        "status": "submitted",
        **data,
        "handler": None,
        "decide_by": None,
        "missing_documents": [],
        "advice": {},
        "fee_due_cents": 0,
        "notes": 0,
    }


def _assigned(state: State, data: Data) -> State:
    return {"status": "in progress", "handler": data["handler"]}


def _documents_requested(state: State, data: Data) -> State:
    missing = [*state["missing_documents"], *data["documents"]]
    return {"status": "waiting for documents", "missing_documents": missing}


def _documents_received(state: State, data: Data) -> State:
    missing = [name for name in state["missing_documents"] if name not in data["documents"]]
    return {"status": state["status"] if missing else "in progress", "missing_documents": missing}


def _objection_decided(state: State, data: Data) -> State:
    decided, _, _ = state["status"].partition(",")
    return {"status": "in progress" if data["upheld"] else decided}


_CHANGES = {
    "ApplicationSubmitted": _submitted,
    "ReceiptConfirmed": lambda state, data: {"decide_by": data["decide_by"]},
    "CaseAssigned": _assigned,
    "DocumentsRequested": _documents_requested,
    "DocumentsReceived": _documents_received,
    "FeeCharged": lambda state, data: {"fee_due_cents": state["fee_due_cents"] + data["cents"]},
    "FeePaid": lambda state, data: {"fee_due_cents": state["fee_due_cents"] - data["cents"]},
    "AdviceRequested": lambda state, data: {"advice": {**state["advice"], data["adviser"]: None}},
    "AdviceGiven": lambda state, data: {
        "advice": {**state["advice"], data["adviser"]: data["favourable"]}
    },
    "NoteAdded": lambda state, data: {"notes": state["notes"] + 1},
    "PermitGranted": lambda state, data: {"status": "granted", **data},
    "PermitRefused": lambda state, data: {"status": "refused", **data},
    "ApplicationWithdrawn": lambda state, data: {"status": "withdrawn"},
    "ObjectionFiled": lambda state, data: {
        "status": f"{state['status']}, under objection",
        "objector": data["by"],
    },
    "ObjectionDecided": _objection_decided,
}
