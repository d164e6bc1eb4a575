"""Every key the shop writes, and what keeps it small."""

from __future__ import annotations

from datetime import UTC, datetime

from redisops.keys import name

PREFIX = "shop:"
# Written first and removed last: what lies below the prefix is the demo's own.
MARKER = b"shop:demo"

# The names of the policies that limited the shop: their counts lie below limit:, not below PREFIX.
POLICIES = "shop:policies"  # set

DAY = 24 * 3600
HOUR = 3600

# --- catalog -----------------------------------------------------------------------------
PRODUCTS = 240
TAGS = ("coffee", "tea", "kitchen", "books", "garden", "bikes", "audio", "toys")
POPULAR = "shop:products:popular"  # sorted set, one member a product
SEARCHES = "shop:searches:recent"  # list, LTRIM to 200
NOTICE = "shop:notice"  # string
# By the library's cache: cache:{shop-catalog}:product:<n>, a minute, and redisops:cache:{…}: beside
# it, not below PREFIX.
CACHE = "shop-catalog"

# --- services ----------------------------------------------------------------------------
# Registered by the library below svc:{<service>}: and services:{<service>}:, not below PREFIX.
SERVICES = ("shop-catalog", "shop-orders", "shop-payments", "shop-mailer", "shop-search")

# --- orders ------------------------------------------------------------------------------
ORDERS = "shop:orders:placed"  # stream, MAXLEN ~ 5,000
# and shop:orders:placed:dead, stream of dead letters, MAXLEN ~ 200
CLICKS = "shop:clicks"  # stream, MAXLEN ~ 5,000
PACKING = "shop:queue:packing"  # list, LTRIM to 400
PACKED = "shop:orders:packed"  # channel: JSON of each order that is ready to go
PAYMENTS_GROUP = "payments"
MAILER_GROUP = "mailer"

# --- payments ----------------------------------------------------------------------------
LARGEST = "shop:payments:largest"  # sorted set, the 500 largest
HELD = "shop:payments:held"  # set of orders held for a look, at most 300

# --- players -----------------------------------------------------------------------------
SCORES = "shop:scores:season"  # sorted set, the best 2,000
STORES = "shop:stores"  # geo, 24 members
PLAYERS = 6_000
# shop:board:{race}:2026-W48, five weeks; {sprint} by day, three of them; {tower}, two weeks.
# Beside those of the sprint lies …:scores, beside those of the tower …:order.
BOARDS = "shop:board:"
GAME, SPRINT, TOWER = "race", "sprint", "tower"
VISITORS = "shop:visitors:"  # shop:visitors:{site}:2026-11-23, HyperLogLog, 31 days

# Of signed-in players: shop:session:{…} (15 minutes), shop:sessions:{<who>}, three a person; and
# shop:session-events:{all}, stream of their ends. shop:sess:<id>, two of an older shop: no expiry.


def product(number: int) -> str:
    return name("shop", "product", number)  # hash, no expiry, PRODUCTS of them


def price(number: int) -> str:
    return name("shop", "price", number)  # string, MessagePack, 1-5 minutes


def page(number: int) -> str:
    return name("shop", "page", number)  # string, JSON, compressed when long, 30-120 s


def tagged(tag: str) -> str:
    return name("shop", "tag", tag)  # set of product numbers


def order(number: str) -> str:
    return name("shop", "order", number)  # hash, 40 minutes


def receipt(number: str) -> str:
    return name("shop", "receipt", number)  # string, gzip of JSON, 10 minutes


def payment(number: str) -> str:
    return name("shop", "payment", number)  # hash, 40 minutes


def revenue() -> str:
    return name("shop", "revenue", today())  # hash by currency, 2 days


def cart(customer: int) -> str:
    return name("shop", "cart", customer)  # hash of amounts, 20 minutes


def basket(customer: int) -> str:
    return name("shop", "basket", customer)  # string, PHP's serialize(), 15 minutes


def active() -> str:
    return name("shop", "active", today())  # bitmap by player number, 2 days


def visits() -> str:
    return name("shop", "visits", f"{datetime.now(UTC):%Y%m%d%H}")  # counter, 1 day


def today() -> str:
    return f"{datetime.now(UTC):%Y%m%d}"
