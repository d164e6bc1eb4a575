"""A small shop of services on the library, so that every page shows true, moving data.

Every key lies below ``shop:`` (``demo.names`` lists them; only what the limiter counts for the
shop lies below ``limit:`` and ``limits:use:``), every client is called
``shop-<service>``, and everything is bounded by a TTL, a cap or MAXLEN: about 10 MB after an
hour and no more after a month. ``manage.py demo --remove`` takes all of it away.
"""
