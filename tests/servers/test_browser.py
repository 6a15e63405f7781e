"""The browser that the admin's tests drive works, under the strictest content security policy."""

from __future__ import annotations

import pytest


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_admin_opens_in_chromium(live_server, quiet_page):
    quiet_page.goto(f"{live_server.url}/admin/")

    assert quiet_page.get_by_label("Username").is_visible()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_complaint_of_the_page_is_seen(live_server, page, complaints):
    page.goto(f"{live_server.url}/admin/")
    page.evaluate("console.error('broken')")

    assert complaints == ["error: broken"]
