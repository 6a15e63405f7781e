"""Each asynchronous twin says what its synchronous form does, word for word but for the waiting.

The two stand side by side in the source. Here the synchronous form is derived from the
asynchronous one and compared, so that they cannot drift apart.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import django_eventstore.store
from django_eventstore.backends.base import Backend

SAME = {"AsyncIterable": "Iterable", "AsyncIterator": "Iterator", "asyncio": "time"}
"""What an asynchronous form calls otherwise, beside its own twins."""

DIFFERENT = {
    "store.reading.ActorReading.get_events": "spells its arguments out, for editors",
    "store.reading_all.StoreReading.read_all": "spells its arguments out, for editors",
    "store.reading.ActorReading.get_events_with_errors": "hands an iterator on, not a list",
    "store.subscriptions.subscribe": "what waits is the watch, whose twin is await_()",
    "store.updating.Updating.update": "its twin's decide() may be asynchronous",
}
"""The pairs that are not meant to be equal: what the synchronous form does otherwise."""


def test_a_twin_is_its_synchronous_form_but_for_the_waiting():
    found = pairs()
    derive = AsSynchronous(synchronous_names(found))
    differing = {
        key
        for key, (form, twin) in found.items()
        if ast.unparse(without_docstring(form)) != ast.unparse(derive.visit(twin))
    }
    assert len(found) > 35
    assert differing == DIFFERENT.keys()


def pairs() -> dict[str, tuple[ast.FunctionDef, ast.AST]]:
    """Return the synchronous and the asynchronous form of each pair, by module and name."""
    found = {}
    for module_name, module in modules():
        scopes = {"": module.body}
        scopes |= {f"{node.name}.": node.body for node in module.body if is_class(node)}
        for scope, body in scopes.items():
            functions = {node.name: node for node in body if is_function(node)}
            for name, form in functions.items():
                if twin := functions.get(twin_name(name)):
                    found[f"{module_name}.{scope}{name}"] = form, twin
    return found


def modules() -> Iterator[tuple[str, ast.Module]]:
    store = [
        f"store.{each.name}" for each in pkgutil.iter_modules(django_eventstore.store.__path__)
    ]
    for name in [*store, "folds"]:
        module = importlib.import_module(f"django_eventstore.{name}")
        yield name, ast.parse(Path(module.__file__).read_text())


def synchronous_names(found: dict[str, tuple[ast.FunctionDef, ast.AST]]) -> dict[str, str]:
    """Return what each twin's synchronous form is called."""
    names = {form.name for form, _ in found.values()}
    names |= {name for name in vars(Backend) if twin_name(name) in vars(Backend)}
    names.add("current_event_metadata")
    return {twin_name(name): name for name in names}


def twin_name(name: str) -> str:
    return f"_a{name[1:]}" if name.startswith("_") else f"a{name}"


def is_class(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef)


def is_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def without_docstring(node: ast.FunctionDef) -> ast.FunctionDef:
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    return node


class AsSynchronous(ast.NodeTransformer):
    """Makes the synchronous form of an asynchronous one.

    Args:
        names: the synchronous name of each twin.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit(ast.copy_location(ast.FunctionDef(**fields(node)), node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(without_docstring(node))

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.visit(ast.copy_location(ast.For(**fields(node)), node))

    def visit_For(self, node: ast.For) -> ast.AST:
        # An asynchronous generator has no ``yield from``.
        if ast.unparse(node.body) == f"yield {ast.unparse(node.target)}":
            return self.visit(ast.Expr(ast.YieldFrom(node.iter)))
        return self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> list[ast.AST]:
        # ``async with aclosing(items) as items``: a synchronous generator is closed when nobody
        # holds it any more.
        (item,) = node.items
        (closed,) = item.context_expr.args
        body = node.body
        if item.optional_vars is not None:
            inline = Inline(item.optional_vars.id, closed)
            body = [inline.visit(each) for each in body]
        return [self.visit(each) for each in body]

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Call) and ast.unparse(function.func) == "sync_to_async":
            (node.func,) = function.args
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if ast.unparse(node.value) == "AsyncGenerator":
            node.value.id, node.slice = "Iterator", node.slice.elts[0]
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = SAME.get(node.id) or self.names.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.names.get(node.attr, node.attr)
        return self.generic_visit(node)


class Inline(ast.NodeTransformer):
    """Puts a value in the place of a name."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.value if node.id == self.name else node


def fields(node: ast.AST) -> dict[str, object]:
    return {name: getattr(node, name) for name in node._fields}
