"""Redisops in a Django project: a session engine with a copy in SQL, and a cache backend.

``sessions`` and ``records`` make an engine (``docs/redisops/sessions.md`` has an example);
``cache.RedisCache`` is a backend for ``CACHES``. Neither ever pickles.
"""
