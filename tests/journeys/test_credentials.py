"""Certificates by name: a Gateway waits for its credential, serves with it, and rotates it while clients shake hands."""

import socket
import ssl
import threading
import time

import httpx
import pytest
from cryptography import x509

from meshconsole.cli.up import free_port
from tests.certificates import Pair, pair, secret

from .live import eventually

HOST = "shop.example.com"


def gateway(plain: int, secure: int, bind: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{app: edge}}
  servers:
  - port: {{number: {plain}, name: http, protocol: HTTP}}
    bind: {bind}
    hosts: ["*"]
  - port: {{number: {secure}, name: https, protocol: HTTPS}}
    bind: {bind}
    hosts: [{HOST}]
    tls: {{mode: SIMPLE, credentialName: shop}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: edge}}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{{route: [{{destination: {{host: echo}}}}]}}]
"""


class Handshakes:
    """New TLS connections, one after the other, each with one request: what failed, and which certificates were shown."""

    def __init__(self, address: str, port: int):
        self.address, self.port = address, port
        self.made, self.failures, self.seen = 0, [], set()  # type: int, list[str], set[int]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(3)]

    def __enter__(self) -> "Handshakes":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                serial, status = shake(self.address, self.port)
                self.seen.add(serial)
                if status != 200:
                    self.failures.append(f"status {status}")
            except (OSError, ValueError) as e:
                self.failures.append(f"{type(e).__name__} {e}")
            self.made += 1
            time.sleep(0.02)


def connect(address: str, port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # which certificate it is, the test looks at
    return context.wrap_socket(socket.create_connection((address, port), 5), server_hostname=HOST)


def ask(tls: ssl.SSLSocket) -> int:
    tls.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        more = tls.recv(65536)
        if not more:
            raise ConnectionError("closed")
        head += more
    left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(head.split(b"\r\n\r\n", 1)[1])
    while left > 0:
        left -= len(tls.recv(left))
    return int(head.split()[1])


def shake(address: str, port: int) -> tuple[int, int]:
    """(serial number of the certificate shown, status of one request)"""
    with connect(address, port) as tls:
        return x509.load_der_x509_certificate(tls.getpeercert(True) or b"").serial_number, ask(tls)


@pytest.mark.timeout(240)
def test_a_credential_brings_its_server_up_and_rotates_under_load_without_a_failed_handshake(fresh_mesh):
    mesh = fresh_mesh
    mesh.workload("echo", service="echo")
    edge = mesh.workload("edge", kind="gateway", labels={"app": "edge"})
    plain, secure = free_port(), free_port()
    first, second = pair(HOST), pair(HOST)
    said = mesh.api.post("/api/v1/apply", content=gateway(plain, secure, edge.address), headers={"content-type": "application/yaml"}).json()
    assert [m["code"] for m in said["messages"]] == ["IST0101"]

    # The server without its credential waits; its neighbour serves.
    eventually(lambda: httpx.get(f"http://{edge.address}:{plain}/", trust_env=False).status_code == 200, 30)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((edge.address, secure), 2)

    mesh.apply(secret("shop", first))
    eventually(lambda: shake(edge.address, secure) == (first.serial, 200), 20)

    mesh.apply(secret("unnamed", second))
    held = mesh.api.get("/api/v1/proxies/default/edge/config?type=secrets").json()
    assert "kubernetes://shop" in str(held) and "unnamed" not in str(held)
    assert_hidden(str(held), first)

    with connect(edge.address, secure) as kept, Handshakes(edge.address, secure) as load:
        assert ask(kept) == 200
        time.sleep(1)
        for each in (second, first, second):
            mesh.apply(secret("shop", each))
            eventually(lambda each=each: shake(edge.address, secure)[0] == each.serial, 10)
        time.sleep(1)
        assert ask(kept) == 200, "a connection made with the old certificate goes on"
    assert load.failures == []
    assert load.made >= 20 and load.seen == {first.serial, second.serial}


def assert_hidden(text: str, found: Pair) -> None:
    assert all(line not in text for line in found.key.splitlines()[1:-1])
