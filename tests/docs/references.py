"""What prose names of this project: modules, what is in them, functions, files."""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import nats
from django.apps import AppConfig, apps
from django.db import transaction

import django_eventstore
from django_eventstore import Event, EventStore
from tests.docs.blocks import DOCS

ROOT = DOCS.parent
PACKAGE = Path(django_eventstore.__file__).parent
PAGES = [
    *(page for page in sorted(DOCS.rglob("*.md")) if page.name != "changelog.md"),
    *(ROOT / name for name in ("README.md", "SECURITY.md", "tests/README.md")),
]
MODULES = [
    module
    for room in ("django_eventstore", "docs", "tests", "benchmarks", "sample_project")
    for module in sorted((ROOT / room).rglob("*.py"))
]

DOTTED = re.compile(r"\bdjango_eventstore(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(r"(?<![\w./<*-])[\w./-]*\w\.(?:py|md|svg|toml|js|css)\b(?!\()")
FOLDER = re.compile(r"(?<=`)\w[\w-]*(?:/[\w-]+)*/(?=`)")
CALL = re.compile(r"(?<![\w…])[\w.]*\w(?=\(\))")
MEMBER = re.compile(r"(?<=`)[A-Z]\w*\.(?!md\b)[a-z]\w*(?=`)")
SPAN = re.compile(r"`+[^`]+`+")
ADDRESS = re.compile(r"\w+://\S+")

# Names in the settings of PostgreSQL, of loggers, of permissions: ours, and no modules.
NO_MODULES = {"django_eventstore.audit"} | {
    f"django_eventstore.{name}"
    for model in apps.get_app_config("django_eventstore").get_models(include_auto_created=True)
    for name in (
        *(f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions),
        *(name for name, _ in model._meta.permissions),
    )
}
# Files and functions that every project, Python, Django or a database has.
FILES_OF_OTHERS = {"manage.py", "conftest.py"}
FUNCTIONS_OF_OTHERS = {
    *("MAX", "nextval"),  # SQL
    *("build", "make_wsgi_app"),  # factory_boy, prometheus_client
    *dir(builtins),
    *dir(str),
}
OWNERS: dict[str, Any] = {
    "AppConfig": AppConfig,
    "Client": nats.NATS,
    "event": Event,
    "event_store": EventStore,
    "store": EventStore,
    "time": import_module("time"),
    "transaction": transaction,
}


class Reference(NamedTuple):
    """What a line of prose names, and whether it is there."""

    path: Path
    line: int
    text: str
    found: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.text}"


class Line(NamedTuple):
    """A line of prose; `code` names the language where it stands in a fenced block of a page."""

    number: int
    text: str
    code: str | None = None


def references(path: Path) -> Iterator[Reference]:
    """Yield what the prose of a page or a module names."""
    lines = list(lines_of_page(path) if path.suffix == ".md" else lines_of_module(path))
    own = own_names(path, lines)
    for line in lines:
        text = ADDRESS.sub("", line.text)
        kinds: list[tuple[re.Pattern[str], Callable[[str], bool]]] = [(DOTTED, is_there)]
        if line.code in (None, "text"):
            kinds += [
                (FILE, lambda name: is_file(path, name)),
                (FOLDER, lambda name: is_file(path, name)),
            ]
        # Helpers of the tests call what they like.
        if line.code is None and (path.suffix == ".md" or path.is_relative_to(PACKAGE)):
            kinds.append((MEMBER, is_member))
            # On a page a word in plain text may be followed by brackets.
            spans = SPAN.findall(text) if path.suffix == ".md" else [text]
            for span in spans:
                for name in CALL.findall(span):
                    if not DOTTED.match(name):
                        found = is_function(name, own)
                        yield Reference(path, line.number, f"{name}()", found)
        for pattern, exists in kinds:
            for name in pattern.findall(text):
                yield Reference(path, line.number, name, exists(name))


def lines_of_page(page: Path) -> Iterator[Line]:
    code = None
    for number, text in enumerate(page.read_text().splitlines(), start=1):
        if text.lstrip().startswith("```"):
            code = text.strip().strip("`") if code is None else None
        else:
            yield Line(number, text, code)


def lines_of_module(module: Path) -> Iterator[Line]:
    """Yield the lines of docstrings and comments."""
    source = module.read_text()
    for node in ast.walk(parsed(module)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
                for number, text in enumerate(lines, start=node.lineno):
                    yield Line(number, text)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Line(token.start[0], token.string)


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def own_names(path: Path, lines: list[Line]) -> set[str]:
    """Return the names in the code of the page or the module itself."""
    if path.suffix == ".md":
        return {name for line in lines if line.code for name in re.findall(r"\w+", line.text)}
    return names_in(parsed(path))


def names_in(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.alias():
                names.add(node.name)
            case ast.Name():
                names.add(node.id)
            case ast.Attribute():
                names.add(node.attr)
    return names


@cache
def public_names() -> set[str]:
    """Return what the package defines, without what only its own module may name."""
    trees = [parsed(module) for module in MODULES if module.is_relative_to(PACKAGE)]
    return {name for tree in trees for name in names_in(tree) if not name.startswith("_")}


@cache
def owners() -> dict[str, list[Any]]:
    """Return the modules and classes of the package by their last names."""
    found = defaultdict(list, {name: [owner] for name, owner in OWNERS.items()})
    for path in MODULES:
        if path.is_relative_to(PACKAGE) and "migrations" not in path.parts:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            module = import_module(name)
            for owner in (module, *filter(is_class, vars(module).values())):
                last = owner.__name__.rpartition(".")[2]
                if last not in OWNERS:
                    found[last].append(owner)
    return found


def is_class(found: object) -> bool:
    return isinstance(found, type) and found.__module__.startswith("django_eventstore")


def is_there(name: str) -> bool:
    """Tell whether a dotted name is that of a module, or of something in one."""
    if name in NO_MODULES:
        return True
    parts = name.split(".")
    found: Any = django_eventstore
    for at, part in enumerate(parts[1:], start=2):
        if not has(found, part):
            try:
                import_module(".".join(parts[:at]))
            except ImportError:
                return False
        found = getattr(found, part, None)
    return True


def has(owner: Any, name: str) -> bool:
    """Tell whether it has an attribute, or its instances have."""
    if hasattr(owner, name):
        return True
    annotated = [getattr(each, "__annotations__", ()) for each in getattr(owner, "__mro__", ())]
    set_when_made = getattr(getattr(owner, "__init__", None), "__code__", None)
    return any(name in names for names in annotated) or (
        set_when_made is not None and name in set_when_made.co_names
    )


def is_member(name: str) -> bool:
    owner, _, member = name.partition(".")
    return any(has(each, member) for each in owners()[owner])


def is_function(name: str, own: set[str]) -> bool:
    owner, _, last = name.rpartition(".")
    if owner:
        return any(has(each, last) for each in owners()[owner.rpartition(".")[2]])
    return last in own | public_names() | FUNCTIONS_OF_OTHERS


def is_file(path: Path, name: str) -> bool:
    """Tell whether a file is in the repository, the package, or the room of who names it."""
    where = (ROOT, PACKAGE, path.parent)
    return name in FILES_OF_OTHERS or any((each / name).exists() for each in where)
