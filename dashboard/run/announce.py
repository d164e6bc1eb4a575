"""Say where the console is, once its page really answers.

    python announce.py NEWS

NEWS is a JSON file that the runner wrote: ``probe`` (the page asked for), ``host`` (the Host
header that the console accepts), ``secure`` (it expects to be behind TLS), ``words`` (what is
printed) and ``sign_in`` (what is printed even when we are stopped before). It may hold the first
password, so it is deleted as soon as it was read. Only the standard library: it must not compete
with the web process for the first seconds.
"""

import http.client
import json
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 30.0
SUCCESS = range(200, 400)


def answers(probe: str, host: str, *, secure: bool) -> bool:
    parts = urlsplit(probe)
    link = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    headers = {"Host": host, "User-Agent": "redisops-announce"}
    if secure:
        headers["X-Forwarded-Proto"] = "https"
    try:
        link.request("GET", parts.path, headers=headers)
        return link.getresponse().status in SUCCESS
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def main(path: Path) -> int:
    news = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()

    def give_up(*_: object) -> None:
        # The password exists nowhere else: without this line nobody could ever sign in.
        sys.exit(news["sign_in"] or 0)

    signal.signal(signal.SIGTERM, give_up)
    warned, start = False, time.monotonic()
    while not answers(news["probe"], news["host"], secure=news["secure"]):
        if not warned and time.monotonic() - start > PATIENCE:
            warned = True
            print(
                f"{news['probe']} has not answered for {PATIENCE:.0f} s; the lines above, "
                "if any, say why. Still trying.",
                flush=True,
            )
        time.sleep(0.1)
    print(news["words"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
