"""`proxyagent`: starts the agent, and turns what can go wrong at the start into one clear line."""

import asyncio
import gc
import logging
import signal
import sys

from . import options


def main() -> None:
    try:
        said = options.from_environment(sys.argv[1:])
        sys.exit(run(said))
    except options.Wrong as e:
        print(f"proxyagent: {e}", file=sys.stderr)
        sys.exit(2)


def run(said: options.Options) -> int:
    from .agent import Agent, Refused
    from .disk import InUse

    logging.basicConfig(level=said.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("websockets", "grpclib", "hpack", "h2", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    async def whole_life() -> None:
        stop = asyncio.Event()
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
        agent = Agent(said)
        # What is loaded now stays for good: the collector need not walk it again.
        gc.collect()
        gc.freeze()
        await agent.run(stop)

    try:
        asyncio.run(whole_life())
    except (InUse, Refused, OSError) as e:
        print(f"proxyagent: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
