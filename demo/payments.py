"""Payments: pays the orders of the stream, and keeps what accounting asks for."""

from __future__ import annotations

import random
import time
from typing import ClassVar

from demo import names
from demo.door import Door
from demo.orders import Consumer
from redisops.streams import Entry


class Payments(Consumer, Door):
    """The second group of the orders stream. Ends each order as paid, declined, held or refused."""

    name: ClassVar[str] = "payments"
    group: ClassVar[str] = names.PAYMENTS_GROUP
    route: ClassVar[tuple[str, str]] = ("POST", "/payments")

    async def handle(self, entry: Entry) -> None:
        """Charge the customer's card; one that is charged too often is refused."""
        order = {name.decode(): value.decode() for name, value in entry.fields}
        card = f"**** {1000 + int(order['cust']) * 7 % 9000}"
        answer = await self.visit(card, {**order, "card": card}, Card=card)
        if answer.status != 200:
            key = names.payment(order["order"])
            pipe = self.redis.pipeline(transaction=False)
            pipe.hset(key, mapping={"order": order["order"], "state": "refused", "card": card})
            pipe.expire(key, 40 * 60)
            await pipe.execute()

    async def serve(self, order: dict[str, str]) -> None:
        number, currency = order.get("order", "NO-0000000"), order.get("cur", "EUR")
        total = float(order.get("total", "1"))
        state = random.choices(("paid", "declined", "held"), weights=(90, 7, 3))[0]
        pipe = self.redis.pipeline(transaction=False)
        pipe.hset(
            names.payment(number),
            mapping={
                "order": number,
                "amount": f"{total:.2f}",
                "currency": currency,
                "state": state,
                "card": order.get("card", ""),
                "at": int(time.time()),
            },
        )
        pipe.expire(names.payment(number), 40 * 60)
        if state == "paid":
            pipe.hincrbyfloat(names.revenue(), currency, round(total, 2))
            pipe.expire(names.revenue(), 2 * names.DAY)
            pipe.zadd(names.LARGEST, {number: total})
            pipe.zremrangebyrank(names.LARGEST, 0, -501)
        elif state == "held":
            pipe.sadd(names.HELD, number)
            pipe.scard(names.HELD)
        answers = await pipe.execute()
        if state == "held" and answers[-1] > 300:
            await self.redis.spop(names.HELD, 20)  # somebody had a look
