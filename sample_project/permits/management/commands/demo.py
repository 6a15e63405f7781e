"""Show what the event store does, on 2,000 made-up applications or on events of your own."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from django_eventstore import event_store
from django_eventstore.ndjson import Line
from django_eventstore.transfer import import_events
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
        self._say("Migrating the database")
        call_command("migrate", verbosity=0)
        self._make_login()
        if options["data"]:
            self._say(f"Importing {options['data']}")
            call_command("import_events", options["data"])
        else:
            self._seed(options["actors"])
        actor_id = self._example(options["data"])
        self._say(f"Replaying {actor_id}")
        call_command("replay_events", actor_id)
        if options["data"] is None:
            self._say(f"The state of {actor_id}")
            call_command("replay_events", actor_id, state=True)
        self._say("How to go on")
        self._go_on(actor_id)

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

    def _example(self, data: str | None) -> str:
        """Return an actor with a history that fits on a screen."""
        search = "" if data else "application-"
        actors = event_store.get_actors(search=search, limit=500)
        return min(actors, key=lambda actor: abs(actor.latest_version - 14)).actor_id

    def _go_on(self, actor_id: str) -> None:
        store = event_store.describe()
        events = event_store.count_events()
        self.stdout.write(
            f"""\
The store holds {events:,} events ({", ".join(f"{name} {value}" for name, value in store.items())}).

  make run                       then http://127.0.0.1:8000/admin/
                                 (login {LOGIN}, password {PASSWORD})
  make demo DATA=events.ndjson   import a file of your own
  make demo STORE=jetstream      the same on NATS JetStream

  alias manage=".venv/bin/python sample_project/manage.py"
  manage help                    all commands, under [django_eventstore]
  manage replay_events {actor_id} --state --to-version 3"""
        )

    def _say(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))
