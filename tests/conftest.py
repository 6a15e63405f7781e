"""Fixtures shared by all tests: servers, databases and the browser, each started on first use."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings as hypothesis_settings

from tests.servers import MariaDBServer, NatsCluster, NatsServer, PostgresServer, parts
from tests.servers.databases import SERVERS, make_run_directory

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

pytest_plugins = [
    "tests.support.accounts",
    "tests.support.every_store",
    "tests.support.project",
    "tests.support.projections.counting",
]

# Under this variable a missing part is an error, not a skip: nothing goes untested unnoticed.
REQUIRE_ALL = os.environ.get("EVENTSTORE_REQUIRE_ALL") == "1"
MISSING = "missing on this machine: "
HISTORY_SEED = "EVENTSTORE_HISTORY_SEED"
BROWSER_FIXTURES = {"browser"}
CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Servers answer when they answer: a slow example is no failure.
hypothesis_settings.register_profile("servers", deadline=None, print_blob=True)
hypothesis_settings.load_profile("servers")


def pytest_configure() -> None:
    make_run_directory()
    # Before xdist starts its workers, which inherit it.
    os.environ.setdefault(HISTORY_SEED, str(secrets.randbelow(10**6)))


def pytest_report_header() -> str:
    return f"histories: {HISTORY_SEED}={os.environ[HISTORY_SEED]}"


def require(name: str) -> Path:
    """Return where the part `name` is; skips the test without it, or fails it (`REQUIRE_ALL`)."""
    found = parts.find(name)
    if found is None:
        _without(name)
    return found


def _without(name: str) -> NoReturn:
    reason = f"{MISSING}{name} ({parts.PARTS[name].hint})"
    if REQUIRE_ALL:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _aliases_of(item: pytest.Item) -> set[str]:
    """Return the aliases of `DATABASES` that a test's `django_db` marker names."""
    marker = item.get_closest_marker("django_db")
    databases = marker.kwargs.get("databases") if marker else None
    if databases == "__all__":
        return set(SERVERS)
    return set(databases or ())


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            require(name)
    for alias in _aliases_of(item) & set(SERVERS):
        require(alias)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright leaves an event loop running in the main thread until the session ends, in which
    # no other test could start one: whatever order was chosen, the browser's tests come last.
    items.sort(key=lambda item: not BROWSER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    lost = sorted({reason.partition(MISSING)[2] for reason in reasons if MISSING in reason})
    if lost:
        count = sum(MISSING in reason for reason in reasons)
        terminalreporter.section(f"{count} tests not run for want of a part")
        for part in lost:
            terminalreporter.line(f"  {part}")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Start the servers of the databases that the collected tests name, before they are made."""
    needed = set().union(*(_aliases_of(item) for item in request.session.items))
    for alias in sorted(needed & set(SERVERS)):
        if parts.find(alias):
            request.getfixturevalue(f"{alias}_server")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The running server of the alias `postgres`; not to be killed: start another for that."""
    require("postgres")
    with SERVERS["postgres"] as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """The running server of the alias `mariadb`; not to be killed: start another for that."""
    require("mariadb")
    with SERVERS["mariadb"] as server:
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """A running `nats-server`, the newest; not to be killed: start another for that."""
    with NatsServer(require("nats-server")) as server:
        yield server


@pytest.fixture(scope="session")
def nats_server_oldest() -> Iterator[NatsServer]:
    """A running `nats-server` of the oldest supported series; not to be killed."""
    with NatsServer(require("nats-server-2.9")) as server:
        yield server


@pytest.fixture(params=["nats_server", "nats_server_oldest"])
def any_nats_server(request: pytest.FixtureRequest) -> NatsServer:
    """Each of the shared `nats-server`s in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def nats_cluster() -> Iterator[NatsCluster]:
    """A running cluster of three; a test that kills a server starts it again before it ends."""
    with NatsCluster(require("nats-server")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """Drive the machine's own Chromium (playwright would download one)."""
    program = require("chromium")
    # The event loop that playwright leaves in this thread makes Django refuse the ORM.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    return {
        **browser_type_launch_args,
        "executable_path": str(program),
        "chromium_sandbox": False,
        "args": CHROMIUM_FLAGS,
    }


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the page's console and scripts complain of, policy violations among it."""
    told: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            told.append(f"{message.type}: {message.text}")

    page.on("console", console)
    page.on("pageerror", lambda error: told.append(f"uncaught: {error}"))
    return told


@pytest.fixture
def quiet_page(page: Page, complaints: list[str]) -> Iterator[Page]:
    """A browser's page; the test fails if it complained of anything."""
    yield page
    assert complaints == []
