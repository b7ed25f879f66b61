"""TCP through the whole mesh: console, agents, Envoys; and what a port that somebody else has costs."""

import socket

from .live import eventually

GET = b"GET / HTTP/1.1\r\nHost: raw\r\n\r\n"


def entry(name: str, number: int, instance) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{name}.test]
  resolution: STATIC
  ports: [{{number: {number}, name: main, protocol: TCP}}]
  endpoints: [{{address: {instance.app_address}, ports: {{main: {instance.port}}}}}]
---
"""


def answered(connection: socket.socket) -> str:
    connection.sendall(GET)
    return connection.recv(4000).decode()


def served(address: str, number: int) -> str:
    try:
        with socket.create_connection((address, number), 5) as connection:
            return answered(connection)
    except OSError:
        return ""


def test_a_tcp_service_is_reached_at_its_port_and_what_comes_later_leaves_connections_alone(mesh):
    mesh.apply(entry("raw", 19001, mesh.v1))
    with socket.create_connection((mesh.client.address, 19001), 5) as early:
        assert "echo-v1" in answered(early)
        mesh.apply(entry("other", 19002, mesh.v2))
        assert "echo-v2" in served(mesh.client.address, 19002)
        assert "echo-v1" in answered(early)
        mesh.apply(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: raw}\nspec:\n  hosts: [raw.test]\n"
            "  tcp: [{route: [{destination: {host: other.test, port: {number: 19002}}}]}]\n"
        )
        eventually(lambda: "echo-v2" in served(mesh.client.address, 19001), 10)


def test_a_port_that_somebody_else_has_costs_its_listener_and_nothing_else(mesh):
    with socket.create_server((mesh.client.address, 19003)):
        mesh.apply(entry("taken", 19003, mesh.v1) + entry("free", 19004, mesh.v2))
        assert "echo-v2" in served(mesh.client.address, 19004)
        assert mesh.proxy("client")["state"] == "SYNCED"
        assert "echo-v1" in served(mesh.v3.address, 19003)
    shown = mesh.cli("proxy-config", "default/client", "listeners").stdout
    assert "19004" in shown and "Cluster: outbound|19004||free.test" in shown
