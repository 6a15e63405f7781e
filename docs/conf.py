"""Sphinx settings; `make docs` builds with warnings as errors."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from sphinx.domains.python import PyObject

django.setup()

project = "django-eventstore"
author = "the django-eventstore authors"
project_copyright = f"2026, {author}"
release = installed_version("django-eventstore")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs.options_table"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
nitpicky = False

html_theme = "furo"
html_title = f"django-eventstore {release}"


def is_twin(name, parent):
    """Tell whether a method is the asynchronous twin of another one."""
    return name.startswith("a") and hasattr(parent, name[1:])


def skip_twins(app, what, name, obj, skip, options):
    """Leave out asynchronous twins: the page says once that they are there."""
    from django_eventstore import EventStore

    return True if what == "class" and is_twin(name, EventStore) else None


def setup(app):
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-skip-member", skip_twins)
