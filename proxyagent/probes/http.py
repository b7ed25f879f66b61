"""One GET; any status from 200 to 399 is healthy. Over TLS the certificate is not verified, as kubelet and Istio's agent have it."""

import asyncio
import ssl

from ..protocol import HttpProbe


async def ask(how: HttpProbe, host: str, port: int) -> str:
    context = None
    if how.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        headers = {"host": ("Host", f"{host}:{port}"), "user-agent": ("User-Agent", "meshconsole-health")}
        headers |= {name.lower(): (name, value) for name, value in how.headers}
        lines = [f"GET {how.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.values()), "Connection: close"]
        writer.write("\r\n".join((*lines, "", "")).encode())
        line = (await reader.readline()).decode("latin-1").split()
        if len(line) < 2 or not line[0].startswith("HTTP/") or not line[1].isdigit():
            return f"{host}:{port} answered no HTTP"
        return "" if 200 <= int(line[1]) < 400 else f"{host}:{port}{how.path} answered {line[1]}"
    finally:
        writer.close()
