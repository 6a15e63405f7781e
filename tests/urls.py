"""URLs of the test project: the admin alone."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path


def favicon(request: HttpRequest) -> HttpResponse:
    """Answer what every browser asks for, so that its console stays quiet."""
    return HttpResponse(status=204)


urlpatterns = [path("admin/", admin.site.urls), path("favicon.ico", favicon)]
