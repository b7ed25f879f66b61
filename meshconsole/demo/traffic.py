"""A gentle visitor: some requests a second through the gateway, a few of them as Jason."""

import argparse
import itertools
import time

import httpx


def visit(url: str, rate: float) -> None:
    with httpx.Client(timeout=10, trust_env=False) as client:
        due = time.monotonic()
        for n in itertools.count():
            try:
                client.get(f"{url}/productpage", headers={"end-user": "jason"} if n % 5 == 4 else {})
            except httpx.HTTPError:
                time.sleep(1)  # the gateway is away: do not hammer
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--rate", type=float, default=5, help="requests per second")
    options = parser.parse_args()
    visit(options.url, options.rate)
