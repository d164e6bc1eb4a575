"""The limits that the shop has in its code; what is published in the console replaces them."""

from __future__ import annotations

from redisops.limits import Document, Policy

DEFAULTS = Document(
    0,
    (
        Policy(
            "shop-orders",
            service="orders", methods=("POST",), path="/orders", subject=("user",),
            limit=6, period=60, burst=3, note="One customer orders at a walking pace.",
        ),
        Policy(
            "shop-payments",
            service="payments", methods=("POST",), path="/payments", subject=("header:Card",),
            algorithm="sliding_counter", limit=10, period=60, note="Ten times a minute.",
        ),
        Policy(
            "shop-products",
            service="catalog", methods=("GET",), path="/products", subject=("global",),
            limit=25, period=1, note="All visitors together.",
        ),
    ),
)  # fmt: skip
