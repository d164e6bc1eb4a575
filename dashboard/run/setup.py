"""Make the database ready: migrations, the home server and its policies, declared
servers, the first admin.

A process of its own, so that the manager never carries Django in its memory. Safe to run again
and beside others. Standard output is what there is to say of the first admin (the generated
password, once). When the database or a declaration refuses: one sentence, exit code 2. With
``--json``, for the runner, both are an object on standard output, apart from any log line.
"""

from __future__ import annotations

import io
import json
import os
import sys

import django
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
# Home is not up yet on a first start; that nobody could be told of a change is no news here.
os.environ.setdefault("LOG_LEVEL", "WARNING")


def refuse(sentence: str) -> int:
    words = " ".join(sentence.split())
    if "--json" in sys.argv:
        print(json.dumps({"refusal": words}))
    else:
        print(words, file=sys.stderr)
    return 2


def main() -> int:
    django.setup()
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        from django.conf import settings

        engine = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
        return refuse(
            f"The {engine} database cannot be reached ({error}): start it, or correct DATABASE_URL."
        )
    try:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("ensure_home", stdout=io.StringIO())
        call_command("seed_limits", stdout=io.StringIO())
        call_command("seed_boards", stdout=io.StringIO())
        call_command("sync_servers", stdout=io.StringIO())
        call_command("ensure_admin", json="--json" in sys.argv)
    except CommandError as error:
        return refuse(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
