"""A real DNS server on loopback, whose answers a test changes while it runs."""

import threading

from dnslib import AAAA, QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSServer


class Names(BaseResolver):
    """`records`: name -> addresses, in the order in which they are answered; a name that is not there does not exist."""

    TTL = 1

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()
        self._server = DNSServer(self, address="127.0.0.1", port=0, logger=_Quiet())
        self.port = self._server.server.server_address[1]

    def resolve(self, request, handler):
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        with self._lock:
            self.asked.append(name)
        addresses = self.records.get(name)
        if addresses is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        for address in addresses:
            kind, data = ("AAAA", AAAA) if ":" in address else ("A", A)
            if QTYPE[request.q.qtype] == kind:
                reply.add_answer(RR(request.q.qname, getattr(QTYPE, kind), rdata=data(address), ttl=self.TTL))
        return reply

    def __enter__(self) -> "Names":
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()


class _Quiet:
    def __getattr__(self, name):
        return lambda *_: None
