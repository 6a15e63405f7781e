"""Signals. The sender is the store's class."""

from django.dispatch import Signal

event_saved = Signal()
"""Sent once for each stored event, after it is durable; in the database store that is after the
surrounding transaction commits.

Arguments: ``store`` (the EventStore), ``event`` (the stored Event), ``namespace`` (str). A receiver
that fails is logged, and changes nothing for the caller: the event is stored. It is not sent where
the process dies between the save and the receiver: what must happen belongs into a projection.
"""

malformed_event_found = Signal()
"""Sent for each malformed event that a read meets, each time.

Arguments: ``store``, ``error`` (ReplayError), ``namespace`` (str).
"""

store_operation = Signal()
"""Sent after each operation on a store, for counters and timings.

Arguments: ``store``, ``namespace`` (str), ``operation`` (``save``, ``read_actor``, ``read_store``,
``replay`` or ``retry``), ``outcome`` (``ok``; ``repeated``: the events were stored before;
``conflict``, ``duplicate``, ``invalid``, ``too_large``, ``unavailable``, ``unsupported``,
``error``), ``events`` (int: how many), ``seconds`` (float: how long), ``actor_id`` (str or None).
Receivers must be quick; around an asynchronous method they run in the event loop.
"""
