"""What a client process does: random appends and reads of a few actors, all of it recorded."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import close_old_connections
from django.utils.module_loading import import_string

from django_eventstore import Event, EventStore, StoreUnavailableError, VersionConflictError
from tests.histories.operations import Kind, Recorder, Stored, stored

# An append whose outcome is unknown is tried again this often, as a careful caller would.
TRIES = 30
PAGE = 200
# Why: an outage should be met by some hundred calls, not by a hundred thousand.
PAUSE_AFTER_FAILURE = 0.05


@dataclass(frozen=True, slots=True)
class Workload:
    """What each client does.

    Attributes:
        seconds: for how long.
        actors: how many actors there are; few, so that clients meet.
        pause: seconds between two calls, on average.
        across: whether some appends hold events of two actors.
        sabotage: the dotted path of a function that breaks the store on purpose; called first.
    """

    seconds: float
    actors: int = 4
    pause: float = 0.002
    across: bool = True
    sabotage: str = ""


def open_store(entry: Mapping[str, Any]) -> EventStore:
    """Return the store of an entry of `EVENT_STORES`."""
    backend = import_string(entry["BACKEND"])
    return backend("default", namespace=entry["NAMESPACE"], **entry["OPTIONS"])


def prepare(entry: Mapping[str, Any]) -> None:
    """Make what the store of `entry` needs before clients use it; runs in a process of its own."""
    if "database" in entry["OPTIONS"]:
        call_command("migrate", database=entry["OPTIONS"]["database"], verbosity=0)
    open_store(entry).count_events()


def read_everything(
    entry: Mapping[str, Any], actors: int
) -> tuple[list[Stored], dict[str, list[Stored]]]:
    """Return the whole store, and each actor by itself; runs in a process of its own."""
    store = open_store(entry)
    names = [f"actor {number}" for number in range(actors)]
    return stored(store.read_all()), {name: stored(store.get_events(name)) for name in names}


def run_client(
    entry: Mapping[str, Any], workload: Workload, directory: str, name: str, seed: int
) -> int:
    """Be one client, until its time is over; return the number of calls."""
    if workload.sabotage:
        import_string(workload.sabotage)()
    recorder = Recorder(Path(directory) / name, name)
    client = Client(open_store(entry), recorder, workload, random.Random(seed))
    end = time.monotonic() + workload.seconds
    while time.monotonic() < end:
        client.step()
        time.sleep(client.random.uniform(0, 2 * workload.pause))
    return client.calls


class Client:
    """One session: it makes a call at a time, and remembers what it was told."""

    def __init__(
        self, store: EventStore, recorder: Recorder, workload: Workload, source: random.Random
    ) -> None:
        self.store = store
        self.recorder = recorder
        self.random = source
        self.calls = 0
        self.actors = [f"actor {number}" for number in range(workload.actors)]
        self.heads = dict.fromkeys(self.actors, 0)
        self.checkpoint = 0
        self.saved: list[tuple[list[Event], int | None]] = []
        across = workload.across and store.backend.supports_multi_actor_append
        self.steps: list[tuple[Callable[[], None], int]] = [
            (self.append_expecting, 40),
            (self.append, 10),
            (self.append_across, 8 if across else 0),
            (self.save_again, 4),
            (self.read, 16),
            (self.ask_latest, 8),
            (self.tail, 14),
        ]

    def step(self) -> None:
        [step] = self.random.choices(
            [step for step, _ in self.steps], [weight for _, weight in self.steps]
        )
        step()

    # -- calls

    def append_expecting(self) -> None:
        actor = self.random.choice(self.actors)
        events = self.make([actor] * self.random.choice([1, 1, 1, 2, 5]))
        if self.random.random() < 0.1:  # leave a gap
            version = self.heads[actor] + self.random.randrange(1, 4)
            events[0] = replace(events[0], version=version)
        self.save(events, self.heads[actor])

    def append(self) -> None:
        self.save(self.make([self.random.choice(self.actors)]), None)

    def append_across(self) -> None:
        self.save(self.make(self.random.sample(self.actors, 2)), None)

    def save_again(self) -> None:
        if self.saved:
            self.save(*self.random.choice(self.saved))

    def read(self) -> None:
        actor = self.random.choice(self.actors)
        # From an event that is known to be there: an empty answer would be a loss.
        head = self.heads[actor]
        after = self.random.choice([0, head]) if head < 50 else head

        def ask() -> dict[str, Any]:
            found = stored(self.store.get_events(actor, after))
            if found:
                self.heads[actor] = max(self.heads[actor], found[-1].version)
            return {"found": found}

        self.call("read", ask, actor=actor, after=after)

    def ask_latest(self) -> None:
        actor = self.random.choice(self.actors)

        def ask() -> dict[str, Any]:
            version = self.store.get_latest_version(actor)
            self.heads[actor] = max(self.heads[actor], version)
            return {"version": version}

        self.call("latest", ask, actor=actor)

    def tail(self) -> None:
        after = self.checkpoint

        def ask() -> dict[str, Any]:
            found = stored(self.store.read_all(after, limit=PAGE))
            if found:
                self.checkpoint = found[-1].position
            return {"found": found}

        self.call("tail", ask, after=after)

    # -- their pieces

    def make(self, actors: list[str]) -> list[Event]:
        events = [Event(actor, "happened", {"n": self.calls}) for actor in actors]
        if self.random.random() < 0.3:  # ids that the store has not made itself
            events = [replace(event, id=f"{self.recorder.client} {event.id}") for event in events]
        return events

    def save(self, events: list[Event], expected: int | None) -> None:
        """Save, and again while the outcome is unknown (mostly: some callers give up)."""

        def ask() -> dict[str, Any]:
            found = stored(self.store.save_events(events, expected_version=expected))
            for event in found:
                self.heads[event.actor] = max(self.heads[event.actor], event.version)
            self.saved.append((events, expected))
            return {"found": found}

        for _ in range(TRIES):
            outcome = self.call(
                "append",
                ask,
                events=[(event.id, event.actor_id) for event in events],
                expected=expected,
            )
            if outcome != "unknown" or self.random.random() < 0.1:
                return

    def call(self, kind: Kind, ask: Callable[[], dict[str, Any]], **asked: Any) -> str:
        """Make one call and record it; return its outcome."""
        self.calls += 1
        self.recorder.begin(kind, **asked)
        try:
            answer = ask()
        except VersionConflictError as conflict:
            self.recorder.end("conflict", version=conflict.current_version, detail=str(conflict))
            self.heads[conflict.actor_id] = max(
                self.heads[conflict.actor_id], conflict.current_version
            )
            return "conflict"
        except StoreUnavailableError as error:
            outcome = "unknown" if error.outcome_unknown else "failed"
            self.recorder.end(outcome, detail=str(error))
            # What Django does between two requests: a broken connection is opened again.
            close_old_connections()
            time.sleep(PAUSE_AFTER_FAILURE)
            return outcome
        except Exception:
            self.recorder.end("wrong", detail=traceback.format_exc())
            close_old_connections()
            time.sleep(PAUSE_AFTER_FAILURE)
            return "wrong"
        self.recorder.end("ok", **answer)
        return "ok"
