"""What the commands print: safe for a terminal, in columns, with a bar on a terminal only."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import threading
import unicodedata

import pytest
from django.core.management.base import OutputWrapper
from hypothesis import given
from hypothesis import strategies as st
from permits.generator import generate

from django_eventstore.events.ndjson import to_line
from django_eventstore.management import terminal
from django_eventstore.management.terminal import (
    Interrupt,
    Progress,
    columns,
    fit,
    printable,
    table,
    to_json,
)
from tests.support.project import MANAGE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


def harmless(text):
    return all(unicodedata.category(each) not in {"Cc", "Cf", "Zl", "Zp", "Co"} for each in text)


@given(st.text())
def test_nothing_that_acts_on_a_terminal_is_left_in_text(text):
    assert harmless(printable(text))


@given(JSON)
def test_json_is_harmless_and_says_the_same(value):
    text = to_json(value)

    assert harmless(text)
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Çelik & Nguyễn, 東京 🛒", "Çelik & Nguyễn, 東京 🛒"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("a\r\nb\x7f\x9b", "a\\u000d\\u000ab\\u007f\\u009b"),
        ("\u202egnp.exe\u2028", "\\u202egnp.exe\\u2028"),
        ("zero\u200bwidth\U000e0041", "zero\\u200bwidth\\udb40\\udc41"),
    ],
)
def test_what_is_escaped(text, shown):
    assert printable(text) == shown


def test_a_table_lines_up():
    lines = list(table(("n", "name"), [(7, "東京"), (1234, "x\ny")]))

    assert lines == ["   n  name", "   7  東京", "1234  x\\u000ay"]
    assert [fit("東京タワー", width) for width in (10, 9, 4)] == ["東京タワー", "東京タワ…", "東…"]
    assert columns(fit("東京タワー", 8)) <= 8


def test_progress_is_plain_lines_now_and_then_where_there_is_no_terminal(monkeypatch):
    out = io.StringIO()
    clock = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    progress = Progress(OutputWrapper(out), "Importing", 1000)

    for second in range(25):
        clock[0] = 100.0 + second
        progress.show(second * 10)
    progress.clear()

    assert out.getvalue() == "Importing 10% 100 events, 10/s\nImporting 20% 200 events, 10/s\n"


def test_the_rate_of_joined_work_leaves_out_what_was_done_before(monkeypatch):
    out = io.StringIO()
    clock = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    progress = Progress(OutputWrapper(out), "Replaying", 1000, joining=True)

    progress.show(500)
    clock[0] = 110.0
    progress.show(600)

    assert out.getvalue() == "Replaying 60% 600 events, 10/s\n"


def test_an_import_shows_a_bar_on_a_terminal_and_takes_it_away(project, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(map(to_line, generate(100))))
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*MANAGE, "import_events", str(file), "--batch-size", "20"],
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=child,
    )
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 65536):
            shown += chunk
    except OSError:  # how the end of a terminal is told
        pass
    os.close(parent)
    out, _ = process.communicate(timeout=60)

    assert b"Importing [" in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\x1b" not in out
    assert b"new events stored" in out


def test_outside_the_main_thread_there_is_nothing_to_interrupt():
    results = []

    def watch():
        with Interrupt() as interrupt:
            interrupt.check()
            results.append(interrupt.is_set())

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()

    assert results == [False]
