"""The setting EVENT_STORE_ADMIN."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"page_sise": 5}, "page_size"),
        ({"redact": {"T": "path"}}, "list"),
        ({"redact": {"T": [5]}}, "applicant.email"),
        ({"redact": {"T": [""]}}, "applicant.email"),
        ({"redact_state": {"T": [[]]}}, "applicant.email"),
        ({"namespaces": {"default": ["*"]}}, "'*'"),
        ({"namespaces": {"defualt": ["eu"]}}, "'defualt'; EVENT_STORES has 'default'"),
        ({"trace_url": "javascript:{trace_id}"}, "https://"),
        ({"trace_url": "https://x/{nope}"}, "trace_id"),
        (5, "dict"),
    ],
)
def test_wrong_settings_are_named_by_a_system_check(settings, options, complaint):
    from django.core import checks

    settings.EVENT_STORE_ADMIN = options
    found = [
        message
        for message in checks.run_checks(tags=["event_stores"])
        if message.id == "eventstore.E050"
    ]
    assert len(found) == 1
    assert complaint in found[0].msg
