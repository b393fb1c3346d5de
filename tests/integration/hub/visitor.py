"""Run on the console's host: log in with a link, change what the arguments say, and print what the API tells as JSON.

python visitor.py LINK IMAGE RULE: accept a rule for an image; IMAGE empty: only look.
"""

import json
import sys
import time

import httpx2


def main(link: str, image: str, rule: str) -> None:
    url, _, ticket = link.partition("/login#")
    with httpx2.Client(base_url=url, headers={"Origin": url}, timeout=30, follow_redirects=True) as client:
        client.post("/login", data={"token": ticket}).raise_for_status()
        page = client.get("/").raise_for_status().text
        told: dict[str, object] = {"overview": client.get("/api/v1/overview").json()}
        if image:
            token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
            ask = {"image": image, "rules": [json.loads(rule)]}
            with client.stream("GET", "/events") as events:
                began = time.monotonic()
                done = client.post("/api/v1/policy/allow", json=ask, headers={"X-CSRF-Token": token})
                told["allowed"] = done.json()
                told["event"] = next(line for line in events.iter_lines() if line == "event: decision")
                told["seconds"] = time.monotonic() - began
    sys.stdout.write(json.dumps(told))


main(*sys.argv[1:])
