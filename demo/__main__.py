"""``python -m demo``: every service of the shop in one process, until SIGTERM.

The Redis is DEMO_REDIS_URL, or REDIS_URL. By environment, because a command line can be read by
every user of the machine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from demo.catalog import Catalog
from demo.claim import Claim
from demo.customers import Customers
from demo.fleet import Fleet
from demo.orders import Mailer, Orders, Packing
from demo.payments import Payments
from demo.players import Players
from demo.service import Service


def services(url: str) -> list[Service]:
    return [
        Catalog(url),
        Orders(url),
        Packing(url),
        Payments(url, 1),
        Payments(url, 2),
        Mailer(url, 1),
        Players(url),
        Customers(url),
        Fleet(url),
    ]


async def run(url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shop, claim = services(url), Claim()
    lives = [asyncio.create_task(service.live(claim)) for service in shop]
    stopped = asyncio.create_task(stop.wait())
    # A life ends by itself only through a bug; then the whole shop closes and says which.
    await asyncio.wait({*lives, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, *lives):
        task.cancel()
    results = await asyncio.gather(*lives, return_exceptions=True)
    for service in shop:
        await service.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("redisops.streams").setLevel(logging.ERROR)  # dead letters are to be seen
    url = os.environ.get("DEMO_REDIS_URL") or os.environ.get("REDIS_URL", "")
    if not url:
        print("Set REDIS_URL to the Redis the demo should run on.", file=sys.stderr)
        return 2
    asyncio.run(run(url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
