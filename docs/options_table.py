"""The directive ``options``: a table of a config dataclass, made from the class itself.

The descriptions are those of the ``Attributes`` section of its docstring; a class's own options
are shown, not those that it inherits.
"""

import dataclasses
import inspect
import re
import textwrap
from datetime import timedelta

from django.utils.module_loading import import_string
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def described_options(cls):
    """Return (names, description) of each entry of the docstring's ``Attributes`` section."""
    _, _, text = inspect.getdoc(cls).partition("Attributes:\n")
    text = text.partition("\n\n")[0]
    return [(found[1].split(", "), textwrap.dedent(found[2])) for found in ENTRY.finditer(text)]


def default_of(field):
    """Return an option's default, as one would write it."""
    value = field.default
    if value is dataclasses.MISSING:
        value = field.default_factory()
    if isinstance(value, timedelta):
        days, seconds = value.days, value.seconds
        return f"timedelta(days={days})" if days else f"timedelta(seconds={seconds})"
    return f"{value:_}" if type(value) is int and value >= 10_000 else repr(value)


class OptionsTable(SphinxDirective):
    """``.. options:: dotted.path.of.a.dataclass``"""

    required_arguments = 1

    def run(self):
        cls = import_string(self.arguments[0])
        fields = {field.name: field for field in dataclasses.fields(cls)}
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 25 20 55", ""]
        rows = [("option", "default", "")]
        for names, description in described_options(cls):
            options = ", ".join(f"``{name}``" for name in names)
            defaults = ", ".join(
                f"``{text}``" for text in dict.fromkeys(default_of(fields[name]) for name in names)
            )
            rows.append((options, defaults, " ".join(description.split())))
        for row in rows:
            lines += [f"   {'*' if not at else ' '} - {cell}" for at, cell in enumerate(row)]
        container = nodes.container()
        content = StringList(lines, source=self.arguments[0])
        self.state.nested_parse(content, self.content_offset, container)
        return container.children


def setup(app):
    app.add_directive("options", OptionsTable)
    return {"parallel_read_safe": True}
