"""export_events, as a user runs it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.django_db


def test_events_go_to_standard_output_and_the_summary_to_standard_error(seeded_project):

    done = seeded_project.run("export_events")

    assert done.returncode == 0
    assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == list(
        range(1, seeded_project.count() + 1)
    )
    assert b"events written" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error(seeded_project):
    process = seeded_project.start("export_events")
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=60)

    assert process.returncode == 141
    assert process.stderr.read() == b""
