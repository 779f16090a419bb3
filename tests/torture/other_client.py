"""Another client of a server under attack: searches until its standard input ends, then prints its waits.

It is a process of its own: in the attacker's, it would also wait for the attacker's interpreter lock.

    python other_client.py PORT
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

BODY = b'{"strokes":[[[1,5],[1,9]]]}'
PAUSE = 0.02


def main() -> None:
    port = int(sys.argv[1])
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    waits: list[float] = []
    answers: list[int] = []
    while not waits or not ended.wait(PAUSE):
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
        try:
            connection.request("POST", "/api/v1/search/sketch", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            answers.append(answer.status)
        except OSError:
            answers.append(0)
        finally:
            connection.close()
        waits.append(time.monotonic() - start)
        if len(waits) == 1:
            print("ready", flush=True)  # noqa: T201
    print(json.dumps({"waits": waits, "answers": sorted(set(answers))}))  # noqa: T201


if __name__ == "__main__":
    main()
