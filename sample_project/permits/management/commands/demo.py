"""Show what the event store does, on 2,000 made-up applications or on events of your own."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_eventstore import event_store
from django_eventstore.events.ndjson import Line, read_ndjson
from django_eventstore.folds import fold_for
from django_eventstore.maintenance.transfer import import_events
from permits.generator import generate

LOGIN = PASSWORD = "admin"  # noqa: S105 - of a demonstration, and printed


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: Any = ()  # they ask for tables that migrate() is about to make

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", metavar="FILE", help="import this NDJSON file instead")
        parser.add_argument(
            "--actors", type=int, default=2000, metavar="N", help="how many (default: 2000)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        data: str | None = options["data"]
        if data and not Path(data).is_file():
            raise CommandError(f"{data!r} is no file.")
        self._say("Migrating the database")
        call_command("migrate", verbosity=0)
        self._make_login()
        if data:
            self._say(f"Importing {data}")
            call_command("import_events", data)
            actor_ids = _first_actors(Path(data))
        else:
            self._seed(options["actors"])
            actor_ids = [
                actor.actor_id for actor in event_store.get_actors(search="application-", limit=500)
            ]
        example = _of_a_screens_length(actor_ids)
        if example:
            self._say(f"Replaying {example}")
            call_command("replay_events", example)
        if example and fold_for(example):
            self._say(f"The state of {example}")
            call_command("replay_events", example, state=True)
        self._say("How to go on")
        self._go_on(example)

    def _make_login(self) -> None:
        users = get_user_model()._default_manager
        if not users.filter(username=LOGIN).exists():
            users.create_superuser(LOGIN, password=PASSWORD)  # type: ignore[attr-defined]

    def _seed(self, applications: int) -> None:
        self._say(f"Seeding {applications:,} permit applications")
        started = time.monotonic()
        lines = (Line(number, event) for number, event in enumerate(generate(applications), 1))
        report = import_events(event_store, lines)
        seconds = time.monotonic() - started
        self.stdout.write(
            f"{report.new:,} new events stored in {seconds:.1f} s, "
            f"{report.already_stored:,} already stored."
        )
        call_command("snapshot_events")

    def _go_on(self, example: str | None) -> None:
        where = ", ".join(
            f"{name}: {value}" for name, value in event_store.describe().items() if value
        )
        self.stdout.write(
            f"""\
The store holds {event_store.count_events():,} events ({where}).

  make run                       then http://127.0.0.1:8000/admin/
                                 (login {LOGIN}, password {PASSWORD})
  make demo DATA=events.ndjson   import a file of your own
  make demo STORE=jetstream      the same on NATS JetStream

  alias manage=".venv/bin/python sample_project/manage.py"
  manage help                    all commands, under [django_eventstore]"""
        )
        if example:
            state = " --state" if fold_for(example) else ""
            self.stdout.write(f"  manage replay_events {quote(example)} --to-version 3{state}")

    def _say(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))


def _first_actors(path: Path) -> list[str]:
    """Return the actors that the beginning of an NDJSON file is about."""
    with path.open("rb") as stream:
        lines = [line for line in islice(read_ndjson(stream), 1000) if isinstance(line, Line)]
    return list(dict.fromkeys(line.event.actor_id for line in lines))


def _of_a_screens_length(actor_ids: list[str]) -> str | None:
    """Return the actor whose history fills a screen best; None if there is no actor."""
    return min(
        actor_ids,
        key=lambda actor_id: abs(event_store.get_latest_version(actor_id) - 14),
        default=None,
    )
