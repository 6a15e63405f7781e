"""The histories of chosen actors as a file of NDJSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson
from django.http import Http404, HttpResponseBase, StreamingHttpResponse

from ..events import ReplayError
from ..events.ndjson import to_line
from ..events.validation import check_text
from .redaction import Redaction
from .scope import Scope

MOST_ACTORS: Final = 1000


def export(scope: Scope) -> HttpResponseBase:
    """Send the events of the actors that the address, or what is posted, names, as one file.

    Many ids make an address that web servers refuse, so the list of actors posts them. Redacted
    values are in the file only for a user who may see them, which is logged. A malformed event is
    a line of its own, without event, which an import refuses and names.
    """
    request = scope.request
    given = request.POST if request.method == "POST" else request.GET
    actor_ids = list(dict.fromkeys(given.getlist("actor")))
    if not 0 < len(actor_ids) <= MOST_ACTORS:
        raise Http404("choose actors to export")
    for actor_id in actor_ids:
        # While the file is being sent it is too late to refuse one.
        check_text("actor_id", actor_id)
    redaction = Redaction(scope.options, reveal=scope.may_reveal)
    if redaction.configured and redaction.reveal:
        scope.log_revealed(f"export of the actors {', '.join(map(repr, actor_ids))}")
    return StreamingHttpResponse(
        _lines(scope, actor_ids, redaction),
        content_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="events.ndjson"'},
    )


def _lines(scope: Scope, actor_ids: list[str], redaction: Redaction) -> Iterator[bytes]:
    for actor_id in actor_ids:
        for item in scope.store.iter_events_with_errors(actor_id):
            if isinstance(item, ReplayError):
                yield _malformed(scope, item)
            else:
                yield to_line(redaction.event(item))


def _malformed(scope: Scope, error: ReplayError) -> bytes:
    document = {
        "malformed": {
            "actor_id": error.actor_id,
            "position": error.position,
            "error": scope.reason(error),
        }
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
