"""One ASGI application: HTTP to Django, /agent to the agents, /ws/ to browsers; the hub lives as long as the process does."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")

from django.core.asgi import get_asgi_application

http: Any = get_asgi_application()  # sets Django up: everything below may import models

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from meshconsole.accounts.proxies import TrustedProxies
from meshconsole.agents.consumer import AgentConsumer
from meshconsole.api.limits import BodyLimit
from meshconsole.api.origins import SameOrigin
from meshconsole.topology.consumer import TopologyConsumer
from meshconsole.xds import hub

browser = SameOrigin(AuthMiddlewareStack(URLRouter([path("topology", TopologyConsumer.as_asgi())])))
agents = SameOrigin(AgentConsumer.as_asgi(), absent=True)
websocket = URLRouter([path("agent", agents), re_path("^ws/", browser)])
doors: Any = ProtocolTypeRouter({"http": BodyLimit(http, settings.MAX_UPLOAD_BYTES), "websocket": websocket})
router = TrustedProxies(doors, settings.TRUSTED_PROXIES)


async def application(scope, receive, send):
    if scope["type"] != "lifespan":
        return await router(scope, receive, send)
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await hub.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await hub.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return None
