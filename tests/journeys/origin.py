"""
An application under test: says which instance it is and what it was sent; fails or dawdles when told to.

Told so at its own address, behind Envoy's back: `/control?status=503&delay=0.5`; `/count` says how many requests came in by the mesh.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def main(name: str, address: str, port: int) -> None:
    state = {"status": 200, "delay": 0.0, "count": 0}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self):
            url = urlsplit(self.path)
            self.rfile.read(int(self.headers.get("content-length") or 0))
            if url.path == "/control":
                asked = {k: v[0] for k, v in parse_qs(url.query).items()}
                with lock:
                    state.update({k: type(state[k])(v) for k, v in asked.items()})
                return self.answer(200, state)
            if url.path == "/count":
                return self.answer(200, state)
            if url.path == "/health":
                return self.answer(200, {"healthy": True})
            with lock:
                state["count"] += 1
            time.sleep(state["delay"])
            headers = {k.lower(): v for k, v in self.headers.items()}
            return self.answer(state["status"], {"instance": name, "method": self.command, "path": self.path, "headers": headers})

        do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("x-instance", name)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    Server((address, port), Handler).serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
