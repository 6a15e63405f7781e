"""Every text of the app has a German translation, compiled."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

import django_eventstore
from django_eventstore import Event
from tests.admin.conftest import START, fill

APP = Path(django_eventstore.__file__).parent
GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
# What `templatize` makes of a template: calls, and nothing else that is Python.
CALL = re.compile(
    r"""\b(?:gettext|_|ngettext)\((u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))""", re.DOTALL
)


def texts_of_code(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text)), *_]):
                if name in GETTEXT:
                    yield text


def texts_of_template(path: Path) -> Iterator[str]:
    for found in CALL.findall(templatize(path.read_text())):
        yield ast.literal_eval(found)


def all_texts() -> set[str]:
    texts: set[str] = set()
    for path in APP.rglob("*.py"):
        if "test" not in path.relative_to(APP).parts:
            texts.update(texts_of_code(path))
    for path in APP.rglob("*.html"):
        texts.update(texts_of_template(path))
    return texts


def test_every_text_has_a_german_translation():
    texts = all_texts()
    assert {"Actors", "Last snapshot", "%(count)s change"} <= texts
    with (APP / "locale/de/LC_MESSAGES/django.mo").open("rb") as compiled:
        catalog = gettext.GNUTranslations(compiled)._catalog
    known = {key[0] if isinstance(key, tuple) else key for key in catalog} - {""}
    assert {"missing": texts - known, "not used": known - texts} == {
        "missing": set(),
        "not used": set(),
    }


@pytest.mark.parametrize("name", ["fuzzy", "#~"])
def test_the_translation_has_nothing_left_over(name):
    assert name not in (APP / "locale/de/LC_MESSAGES/django.po").read_text()


def test_the_pages_translate(admin, store, pages):
    fill(store)
    german = {"HTTP_ACCEPT_LANGUAGE": "de"}
    assert "Ereignisspeicher" in admin.get(pages("stores"), **german).content.decode()
    assert "+5,0 min" in admin.get(pages("actor", "order-1"), **german).content.decode()
    store.save_event(Event("order-1", "Late", timestamp=START + timedelta(days=1.6)))
    assert "+1,6 T." in admin.get(pages("actor", "order-1"), **german).content.decode()
    page = admin.get(pages("state", "order-1"), **german).content.decode()
    assert "stimmt mit der ganzen Wiedergabe überein" in page
