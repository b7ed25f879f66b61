"""The pure core: policies in, Envoy configuration out. No Django, sockets, asyncio, clocks or randomness."""
