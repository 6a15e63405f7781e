"""What the pages show works: files are written, blocks are run in order.

Blocks of commands are parsed by the command's own parser.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import CodeType

import pytest
from django.core.checks import run_checks
from django.core.management import get_commands, load_command_class
from django.test import override_settings
from prometheus_client import REGISTRY

from django_eventstore import conf, folds, prometheus, signals
from django_eventstore.events import upcasting
from django_eventstore.management.base import dotted_path
from django_eventstore.projections import registry
from tests.docs.blocks import DOCS, Block, blocks
from tests.servers import parts

ROOT = DOCS.parent
# The tutorial and the README have tests of their own.
PAGES = sorted(
    page for page in DOCS.rglob("*.md") if page.name not in ("tutorial.md", "changelog.md")
)
# Their examples stand on models and servers that the pages take to be there: they are compiled.
COMPILED = {"projections.md", "forwarding.md", "scaling.md", "jetstream.md"}
# Settings are shown, and tried, with stores in memory behind them.
MEMORY = {"default": {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"}}
NOT_RUN = {"text", "json", "{eval-rst}", "{toctree}", "{include}", "{image}", "{figure}"}
# The whole contract takes longer than what it would tell about the page.
ONLY = {"backend.md": ["-k", "expected or versions"]}
NAMED = re.compile(r"\A# (\S+\.py)(?:,.*)?\n")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory that modules are imported from; what was imported is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def registries(monkeypatch):
    """What the pages register is forgotten afterwards."""
    monkeypatch.setattr(folds, "_folds", {})
    monkeypatch.setattr(upcasting, "_upcasters", {})
    monkeypatch.setattr(registry, "_projections", {})
    collectors = set(REGISTRY._collector_to_names)
    receivers = {name: list(getattr(signals, name).receivers) for name in SIGNALS}
    yield
    prometheus.disconnect()
    for collector in set(REGISTRY._collector_to_names) - collectors:
        REGISTRY.unregister(collector)
    for name in SIGNALS:
        signal = getattr(signals, name)
        signal.receivers[:] = receivers[name]


SIGNALS = ("event_saved", "malformed_event_found", "store_operation")


class Page:
    """The page's names, as they come to be block by block."""

    def __init__(self, project: Path, stack: ExitStack) -> None:
        self.project = project
        self.stack = stack
        # A page may add to the settings that every project has.
        self.names: dict[str, object] = {
            "__name__": "page",
            "INSTALLED_APPS": [],
            "MIDDLEWARE": [],
            "DATABASES": {"default": {}},
        }

    def run(self, block: Block) -> None:
        named = NAMED.match(block.text)
        if named and not named[1].endswith("settings.py"):
            self.add_module(named[1], block)
        else:
            exec(compiled(block), self.names)
            self.take_settings()

    def add_module(self, name: str, block: Block) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(self.project).parents:
            (self.project / parent / "__init__.py").touch()
        path.write_text(block.text)
        importlib.invalidate_caches()
        if path.name.startswith(("test_", "conftest")):
            return  # pytest runs those
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        self.names.update(vars(module))

    def take_settings(self) -> None:
        """Check EVENT_STORES as the page shows it, then go on with its namespaces in memory."""
        shown = self.names.pop("EVENT_STORES", None)
        if shown is None:
            return
        with override_settings(EVENT_STORES=shown):
            errors = [each for each in run_checks(tags=["event_stores"]) if each.is_serious()]
            assert errors == []
        stores = {
            alias: {**MEMORY["default"], "NAMESPACE": store.get("NAMESPACE", "")}
            for alias, store in shown.items()
        }
        self.stack.enter_context(override_settings(EVENT_STORES=stores))

    def converse(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, str(block), str(block.page), block.line
        )
        told: list[str] = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        runner.run(test, out=told.append, clear_globs=False)
        self.names.update(test.globs)
        assert not told, "".join(told)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_the_page_shows_works(path, project):
    with ExitStack() as stack:
        stack.enter_context(override_settings(EVENT_STORES=MEMORY))
        shown = Page(project, stack)
        for block in blocks(path):
            if block.language == "python" and path.name in COMPILED:
                compiled(block)
            elif block.language == "python":
                shown.run(block)
            elif block.language == "pycon":
                shown.converse(block)
            elif block.language in ("sh", "console"):
                check_commands(block)
            else:
                assert block.language in NOT_RUN, f"{block}: a block of {block.language!r}"
    if list(project.rglob("test_*.py")):
        run_pytest(project, *ONLY.get(path.name, ()))


def compiled(block: Block) -> CodeType:
    text = "\n" * block.line + block.text
    return compile(text, str(block.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def run_pytest(project: Path, *only: str) -> None:
    """Run the tests that a page shows, as somebody with pytest-django does."""
    (project / "test_settings.py").write_text(
        f"INSTALLED_APPS = ['django_eventstore']\nEVENT_STORES = {MEMORY!r}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:playwright"]
    done = subprocess.run(
        [*command, "--ds=test_settings", "--rootdir=.", "--import-mode=importlib", *only, "."],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_commands(block: Block) -> None:
    """Let each `manage.py` line of the block be parsed by the command that it names."""
    known = get_commands()
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"[|;]|&&", line.removeprefix("$ ").partition(" #")[0]):
            words = shlex.split(re.sub(r"[<>] *\S+", "", part))
            if "manage.py" not in words:
                continue
            name, *arguments = words[words.index("manage.py") + 1 :]
            assert name in known, f"{block}: there is no command {name!r}"
            if known[name] == "django_eventstore":
                command = load_command_class("django_eventstore", name)
                parser = command.create_parser("manage.py", name)
                for action in parser._actions:
                    if action.type is dotted_path:  # of the reader's project, not of this one
                        action.type = str
                try:
                    parser.parse_args(arguments)
                except Exception as error:
                    raise AssertionError(f"{block}: {part.strip()}: {error}") from error


def test_addresses_are_read_as_the_pages_say():
    text = (DOCS / "howto" / "deploying.md").read_text()
    found = re.findall(r"`((?:db|memory|nats)://[^`]*)`", text)
    assert len(found) == 3
    for address in found:
        with override_settings(EVENT_STORES={"default": conf.event_store_url(address)}):
            assert not [each for each in run_checks(tags=["event_stores"]) if each.is_serious()]


@pytest.mark.needs("nats-server")
def test_the_configuration_of_a_cluster_is_one_that_the_server_takes(tmp_path):
    (shown,) = (
        block for block in blocks(DOCS / "howto" / "cluster.md") if "jetstream {" in block.text
    )
    path = tmp_path / "nats-server.conf"
    path.write_text(shown.text)

    done = subprocess.run(
        [parts.find("nats-server"), "-t", "-c", path],
        env={"NATS_PASSWORD": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
