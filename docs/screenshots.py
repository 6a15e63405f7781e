"""Make the pictures of the admin in docs/screenshots/, from the sample project.

Run by `make screenshots`. Each page is taken light, dark and as wide as a phone; what the pages
show is the same each time, but for the times of day.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from tests.conftest import CHROMIUM_FLAGS
from tests.servers import parts

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "screenshots"
MANAGE = [sys.executable, str(ROOT / "sample_project" / "manage.py")]
STORE = "/admin/django_eventstore/eventstore/default/-/"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
MALFORMED = b'{"handler": "a.bakker", \x00\x1b[31m'


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(environment: dict[str, str]) -> Iterator[str]:
    """Serve the sample project; yield its address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    server = subprocess.Popen(
        [*MANAGE, "runserver", address, "--noreload"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(10)


def break_an_event(database: Path) -> int:
    """Store an event that no JSON reader takes, as another program might; return its position."""
    connection = sqlite3.connect(database)
    with connection:
        cursor = connection.execute(
            "SELECT actor_id, version FROM django_eventstore_actorrecord "
            "ORDER BY last_timestamp DESC LIMIT 1"
        )
        actor_id, version = cursor.fetchone()
        cursor = connection.execute(
            "INSERT INTO django_eventstore_eventrecord (namespace, actor_id, version, event_id,"
            " event_type, command_id, timestamp, data, metadata)"
            " VALUES ('', ?, ?, 'from-elsewhere', 'CaseAssigned', '', '2024-01-02 08:00:00.000000',"
            " ?, '{}')",
            (actor_id, version + 1, MALFORMED.decode("latin-1")),
        )
        connection.execute(
            "UPDATE django_eventstore_actorrecord SET version = version + 1 WHERE actor_id = ?",
            (actor_id,),
        )
    connection.close()
    return int(cursor.lastrowid or 0)


def addresses(page: Page, base: str, malformed: int) -> dict[str, str]:
    """Return name -> address of each page to show; finds an actor with a telling history."""
    page.goto(f"{base}{STORE}search/?type=PermitGranted")
    decided = page.locator("[data-es-open]").first.get_attribute("href") or ""
    page.goto(base + decided)
    actor = page.get_by_role("link", name="Timeline").first.get_attribute("href") or ""
    state = page.get_by_role("link", name="State at version").get_attribute("href") or ""
    page.goto(f"{base}{STORE}actors/?o=-event_count")
    links = page.locator("#es-actors tbody th a")
    longest = links.first.get_attribute("href") or ""
    page.goto(f"{base}{STORE}actors/?q=2022-0009")
    names = [links.nth(index).inner_text() for index in (0, 1, 2)]
    compared = urlencode([("actor", name) for name in names])
    return {
        "stores": STORE.removesuffix("default/-/"),
        "store": STORE,
        "actors": f"{STORE}actors/?o=-event_count",
        "actor": actor,
        "long-actor": longest,
        "state": state,
        "blame": f"{actor}blame/",
        "event": decided,
        "compare": f"{STORE}compare/?{compared}",
        "search": f"{STORE}search/?type=PermitGranted",
        "malformed": f"{STORE}malformed/",
        "malformed-event": f"{STORE}malformed/{malformed}/",
    }


def log_in(page: Page, base: str) -> None:
    """Log in as the demonstration's user."""
    page.goto(f"{base}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{base}/admin/")


def take(base: str, malformed: int) -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(parts.find("chromium")), chromium_sandbox=False, args=CHROMIUM_FLAGS
        )
        for look, options in LOOKS.items():
            page = browser.new_context(**options).new_page()
            log_in(page, base)
            found = addresses(page, base, malformed)
            for name, address in found.items():
                page.goto(base + address)
                page.screenshot(path=PICTURES / f"{name}-{look}.png")
            page.goto(base + found["actors"])
            page.keyboard.press("Control+k")
            page.get_by_role("combobox").fill("2022-0")
            page.get_by_role("option", name="application-").first.wait_for()
            page.screenshot(path=PICTURES / f"jump-{look}.png")
        browser.close()


def main() -> None:
    """Fill a store of its own, serve it and take the pictures."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "sample.sqlite3"
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{database}",
            "EVENT_STORE_URL": "db://default",
        }
        subprocess.run([*MANAGE, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        malformed = break_an_event(database)
        with served(environment) as base:
            take(base, malformed)


if __name__ == "__main__":
    main()
