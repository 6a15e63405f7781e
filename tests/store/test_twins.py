"""Each asynchronous twin says what its synchronous form does, word for word but for the waiting."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import django_eventstore.store

SAME = {
    "aclosing": "closing",
    "AsyncIterator": "Iterator",
    "AsyncGenerator": "Iterator",
    "asyncio": "time",
}
"""What an asynchronous form calls otherwise, beside its own twins."""

DIFFERENT = {
    # Several short lines that wait in one form, and are one expression in the other.
}
"""The pairs that are not meant to be equal, each with the reason."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    names = [
        f"django_eventstore.store.{each.name}"
        for each in pkgutil.iter_modules(django_eventstore.store.__path__)
    ]
    for name in [*names, "django_eventstore.folds", "django_eventstore.events.upcasting"]:
        path = importlib.import_module(name).__file__
        yield name.removeprefix("django_eventstore."), ast.parse(Path(path).read_text())


def scopes(module: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    yield "", module.body
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield f"{node.name}.", node.body


def pairs() -> dict[str, tuple[ast.stmt, ast.stmt]]:
    """Return the synchronous and the asynchronous form of each pair, by module and name."""
    found = {}
    for module_name, module in modules():
        for scope, body in scopes(module):
            functions = {
                node.name: node
                for node in body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            for name, node in functions.items():
                twin = functions.get(twin_name(name))
                if twin is not None:
                    found[f"{module_name}.{scope}{name}"] = (node, twin)
    return found


def twin_name(name: str) -> str:
    return f"_a{name[1:]}" if name.startswith("_") else f"a{name}"


class AsSync(ast.NodeTransformer):
    """Makes of an asynchronous form the synchronous one.

    Args:
        twins: the synchronous name of each twin.
    """

    def __init__(self, twins: dict[str, str]) -> None:
        self.twins = twins

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        fields = {name: getattr(node, name) for name in node._fields}
        return self.visit(ast.FunctionDef(**fields))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.twins.get(node.name, node.name)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        fields = {name: getattr(node, name) for name in node._fields}
        return self.visit(ast.For(**fields))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        (item,) = node.items
        call = item.context_expr
        # A generator that a thread reads is closed by whoever drops it.
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "aclosing":
            if item.optional_vars is None:
                return [self.visit(each) for each in node.body]
            inlined = Inline(ast.unparse(item.optional_vars), call.args[0])
            return [self.visit(inlined.visit(each)) for each in node.body]
        return self.visit(ast.With(items=node.items, body=node.body, type_comment=None))

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Call) and ast.unparse(function.func) == "sync_to_async":
            node.func = function.args[0]
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if ast.unparse(node.value) == "AsyncGenerator" and isinstance(node.slice, ast.Tuple):
            node.slice = node.slice.elts[0]
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = SAME.get(node.id) or self.twins.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.twins.get(node.attr, node.attr)
        return self.generic_visit(node)


class Inline(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.value if node.id == self.name else node


def test_a_twin_is_its_synchronous_form_but_for_the_waiting():
    found = pairs()
    assert len(found) > 30
    names = {key.rpartition(".")[2] for key in found}
    import django_eventstore.backends.base as base

    names |= {name for name in vars(base.Backend) if f"a{name}" in vars(base.Backend)}
    twins = {twin_name(name): name for name in names}
    twins["acurrent_event_metadata"] = "current_event_metadata"
    differing = {}
    for key, (form, twin) in found.items():
        one = ast.unparse(AsSync({}).visit(form))
        two = ast.unparse(ast.fix_missing_locations(AsSync(twins).visit(twin)))
        if one != two:
            differing[key] = (one, two)
    for key in differing:
        if key not in DIFFERENT:
            print("=====", key)
            print(differing[key][0])
            print("-----")
            print(differing[key][1])
    print(len(found), len(differing))
    assert differing.keys() == DIFFERENT.keys()
