"""Signals.

``event_saved``: sent once for each stored event, after it is durable (in the database store:
after the surrounding transaction commits). Arguments: ``sender`` (the store's class),
``store`` (the EventStore), ``event`` (the stored Event), ``namespace`` (str). A receiver that
fails is logged, and changes nothing for the caller: the event is stored.

``malformed_event_found``: sent for each malformed event that a read meets. Arguments:
``sender`` (the store's class), ``store``, ``error`` (ReplayError), ``namespace`` (str).

``store_operation``: sent after each operation on a store, for counters and timings. Arguments:
``sender`` (the store's class), ``store``, ``namespace`` (str), ``operation`` (``save``,
``read_actor``, ``read_store``, ``replay`` or ``retry``), ``outcome`` (``ok``; ``repeated``: the
events were stored before; ``conflict``, ``duplicate``, ``invalid``, ``too_large``,
``unavailable``, ``unsupported``, ``error``), ``events`` (int: how many), ``seconds`` (float: how
long), ``actor_id`` (str or None). Receivers must be quick; around an asynchronous method they
run in the event loop.
"""

from django.dispatch import Signal

event_saved = Signal()
malformed_event_found = Signal()
store_operation = Signal()
