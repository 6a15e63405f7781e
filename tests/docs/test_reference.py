"""The reference names what is in the code: no more, no less."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import django.core.management
import pytest
from django.core.management import find_commands, get_commands, load_command_class
from django.dispatch import Signal
from django.utils.module_loading import import_string

import django_eventstore
from django_eventstore import exceptions, projections, signals
from django_eventstore.admin.options import AdminOptions
from django_eventstore.backends.base import Backend, StoreOptions
from django_eventstore.backends.database.backend import DatabaseOptions
from django_eventstore.backends.jetstream.config import JetStreamConfig
from django_eventstore.backends.memory import MemoryOptions
from django_eventstore.backends.options import Options
from tests.docs.blocks import DOCS

PACKAGE = Path(django_eventstore.__file__).parent
REFERENCE = {path.name: path.read_text() for path in (DOCS / "reference").glob("*.md")}
DIRECTIVE = re.compile(
    r"^\.\. (?:auto(?:class|function|data|exception|module)|py:data|options):: (\S+)", re.MULTILINE
)
DOCUMENTED = {name for text in REFERENCE.values() for name in DIRECTIVE.findall(text)}


def sources():
    return "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))


def last_names():
    return {name.rpartition(".")[2] for name in DOCUMENTED}


def test_each_documented_name_is_there():
    for name in DOCUMENTED - {"django_eventstore.projections"}:
        import_string(name)


def test_public_names():
    missing = {name for name in django_eventstore.__all__ if name not in last_names()}

    assert missing == set()
    for name in django_eventstore.__all__:
        assert f"django_eventstore.{name}" in DOCUMENTED


def test_every_public_name_says_what_it_is():
    for name in django_eventstore.__all__:
        found = getattr(django_eventstore, name)
        if inspect.isclass(found):
            assert inspect.getdoc(found), name


def test_every_public_method_of_a_store_is_on_its_page():
    store = django_eventstore.EventStore
    public = {
        name
        for name, found in inspect.getmembers(store)
        if not name.startswith("_") and (inspect.isfunction(found) or isinstance(found, property))
    }
    twins = {name for name in public if name.startswith("a") and name[1:] in public}

    for name in public:
        assert inspect.getdoc(getattr(store, name)), name
    listed = re.findall(
        r"^\.\. auto(?:method|property):: django_eventstore\.EventStore\.(\w+)$",
        REFERENCE["store.md"],
        re.MULTILINE,
    )
    assert sorted(listed) == sorted(public - twins)
    without_twin = {
        name
        for name in public - twins
        if inspect.isfunction(getattr(store, name)) and f"a{name}" not in twins
    }
    exceptions_named = re.search(r"Only (.*?) have none", REFERENCE["store.md"], re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)\(\)`", exceptions_named)) == without_twin


def test_projections_are_documented_by_their_module():
    assert "django_eventstore.projections" in DOCUMENTED
    assert projections.__all__


def test_exceptions():
    defined = {
        name
        for name, found in vars(exceptions).items()
        if inspect.isclass(found)
        and issubclass(found, Exception)
        and found.__module__ == exceptions.__name__
    }

    documented = DIRECTIVE.findall(REFERENCE["errors.md"])
    assert {name.rpartition(".")[2] for name in documented} == defined


def test_signals():
    defined = {name for name, found in vars(signals).items() if isinstance(found, Signal)}

    documented = DIRECTIVE.findall(REFERENCE["signals.md"])
    assert set(documented) == {f"django_eventstore.signals.{name}" for name in defined}


def test_system_checks():
    defined = set(re.findall(r'id="(eventstore\.[EWIC]\d+)"', sources()))

    assert (
        set(re.findall(r"^\| `(eventstore\.\w+)`", REFERENCE["checks.md"], re.MULTILINE)) == defined
    )


def test_commands():
    ours = {name for name, app in get_commands().items() if app == "django_eventstore"}
    djangos = set(find_commands(Path(django.core.management.__file__).parent))  # `flush`
    page = (DOCS / "commands.md").read_text()

    assert {each for each in re.findall(r"^## (\w+)$", page, re.MULTILINE) if "_" in each} == (
        ours - djangos
    )
    for name in ours:
        assert load_command_class("django_eventstore", name).help


def test_settings():
    read = set(re.findall(r"\b(EVENT_?STORE_?[A-Z_]*)\b", sources())) - {"EVENT_STORE_URL"}

    assert set(re.findall(r"^## (EVENT\w+)", REFERENCE["settings.md"], re.MULTILINE)) == read


@pytest.mark.parametrize(
    "options",
    [StoreOptions, DatabaseOptions, JetStreamConfig, MemoryOptions, AdminOptions],
    ids=lambda options: options.__name__,
)
def test_options(options):
    """Each option is in the docstring, which the reference shows; and nothing else is."""
    own = {
        field.name
        for field in dataclasses.fields(options)
        if field.name not in {inherited.name for inherited in inherited_fields(options)}
    }

    assert described(options) == own
    assert any(name.endswith(f".{options.__name__}") for name in DOCUMENTED)


def test_no_class_of_options_is_forgotten():
    shipped = {each.__name__ for each in subclasses(Options) if "test" not in each.__module__}

    assert {name.rpartition(".")[2] for name in DOCUMENTED} >= shipped


def test_the_page_about_backends_names_every_primitive_and_promise():
    page = (DOCS / "howto" / "backend.md").read_text()
    listed = set(re.search(r":members: (.*)", page)[1].split(", "))
    promises = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))

    own = {name for name in vars(Backend) if not name.startswith(("__", "_abc"))}
    twins = {name for name in own if re.sub(r"^(_?)a", r"\1", name) in own - {name}}
    assert listed == {
        name
        for name in own - twins
        if callable(getattr(Backend, name)) or isinstance(getattr(Backend, name), property)
    } - {"options_class"}
    assert promises == {
        name for name in own if name.startswith("supports_") or name == "actor_orderings"
    }


def inherited_fields(options):
    parents = [each for each in options.__mro__[1:] if dataclasses.is_dataclass(each)]
    return [field for parent in parents for field in dataclasses.fields(parent)]


def described(options):
    _, _, text = inspect.getdoc(options).partition("Attributes:\n")
    text = text.partition("\n\n")[0]
    names = re.findall(r"^ {4}(\w+(?:, \w+)*):", text, re.MULTILINE)
    return {name for group in names for name in group.split(", ")}


def subclasses(cls):
    found = set(cls.__subclasses__())
    return found.union(*(subclasses(each) for each in found))
