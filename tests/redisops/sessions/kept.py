"""What the tests of sessions share: a clock that they move, and sessions that are saved."""

import time

OLD, NEW = b"o" * 32, b"n" * 32


class Clock:
    """A wall clock that a test moves."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


def key_of(session):
    return f"session:{{{session.handle}}}".encode()


def saved(sessions, principal="mara", **data):
    session = sessions.new(principal, address="10.0.0.7")
    session.update(data)
    sessions.save(session)
    return session
