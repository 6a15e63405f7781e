"""Signals.

``event_saved``: sent once for each stored event, after it is durable (in the database store:
after the surrounding transaction commits). Arguments: ``sender`` (the store's class),
``store`` (the EventStore), ``event`` (the stored Event), ``namespace`` (str). A receiver that
fails is logged, and changes nothing for the caller: the event is stored.

``malformed_event_found``: sent for each malformed event that a read meets. Arguments:
``sender`` (the store's class), ``store``, ``error`` (ReplayError), ``namespace`` (str).
"""

from django.dispatch import Signal

event_saved = Signal()
malformed_event_found = Signal()
