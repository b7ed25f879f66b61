"""All doors of the web process but its WebSockets (asgi.py)."""

from django.urls import include, path

urlpatterns = [
    path("", include("meshconsole.api.urls")),
    path("", include("meshconsole.console.urls")),
]
