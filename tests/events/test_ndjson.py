"""Events as lines of a file."""

from __future__ import annotations

import io
import json

import pytest

from django_eventstore import Event
from django_eventstore.events.ndjson import BadLine, read_ndjson, to_line
from tests.support.factories import application_history


def test_a_line_that_is_too_long_is_refused_unread():
    class Endless(io.RawIOBase):
        """One line of a gigabyte, and then a good one."""

        left = 2**30
        tail = to_line(application_history("application-1")[0])

        def readline(self, limit=-1, /):
            if self.left:
                size = min(limit, self.left)
                self.left -= size
                return b"x" * (size - 1) + (b"x" if self.left else b"\n")
            line, self.tail = self.tail, b""
            return line

    bad, good = read_ndjson(Endless(), max_line_bytes=2**22)

    assert bad == BadLine(1, "is longer than 4,194,304 bytes.")
    assert good.number == 2


@pytest.mark.parametrize("number", ["1e22", "-0.0", "0.30000000000000004", "18446744073709551615"])
def test_reading_keeps_every_number_as_it_is_written(number):
    event = Event("application-1", "ApplicationSubmitted", {"cost": 1e22}, version=1)
    line = json.dumps(event.to_dict()).replace("1e+22", number)

    [read] = read_ndjson(io.BytesIO(line.encode()))

    assert repr(read.event.data["cost"]) == repr(json.loads(number))
