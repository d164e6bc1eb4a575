"""What people decide on a server as policies: kept by version in SQL, published to Redis.

A layer below the areas. Each has a document of its own kind on a server: its tables extend the
models of ``models``, its ``Kind`` says the rest, and everything here takes the one or the other.

    models      abstract: Publication, a Policy's and a Version's fields
    kinds       Kind: one area's document
    wanting     want(kind, server): the next document, in the transaction of a change
    writing     publish(kind, who, server): write it to Redis and announce it, audited
    looking     state(kind, server): what Redis has beside what was decided
    comparing   reconcile, compare: what beat has done every few seconds; mends Redis
    schedule    how often, for beat
    versions    save(...): a new version unless somebody was quicker; Refused, Conflict
    wording     Wording: two policies field by field, in words
    pages       what the areas' views share: publish now, act, the page of versions
"""
