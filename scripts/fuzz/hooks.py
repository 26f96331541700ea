"""What scripts/fuzz.sh tells schemathesis: who calls, and which days the formats `date` and `date-time` mean here."""

import datetime
import json
import os
import threading
import time
import urllib.error
import urllib.request

import schemathesis
from hypothesis import strategies as st

BASE = os.environ["FUZZ_URL"]
# One of `staff`, `reader`, `anonymous`.
WHO = os.environ["FUZZ_WHO"]
# The path that ends sessions: it gets one of its own each time, or it would end everybody's.
LOG_OUT = "/api/v1/sessions"
# Seconds between two looks at whether the shared token still counts.
LOOK_EVERY = 1.0

# The document says it with a pattern; without this the generator would try four centuries out of a hundred.
DAYS = st.dates(min_value=datetime.date(1800, 1, 2), max_value=datetime.date(2200, 12, 30))
schemathesis.openapi.format("date", DAYS.map(str))
schemathesis.openapi.format(
    "date-time", st.tuples(DAYS, st.times()).map(lambda at: f"{at[0]}T{at[1].replace(microsecond=0)}Z")
)


def credentials():
    """What may be logged in with, in the order of trying: a case may have closed or moved a desk's unit."""
    with open(os.environ["FUZZ_ACCOUNTS"], encoding="utf-8") as file:
        accounts = json.load(file)
    if WHO == "reader":
        reader = accounts["readers"][-1]
        return [{"card_number": reader["card_number"], "pin": reader["pin"]}]
    system = next(one for one in accounts["staff"] if one["role"] == "system")
    person = {"username": system["username"], "password": system["password"]}
    desks = [one["unit_code"] for one in accounts["staff"] if one["role"] == "librarian"]
    # Every right, at a desk where items are lent; at none if all are gone.
    return [{**person, "unit_code": desk} for desk in desks] + [person]


def request(path, body=None, token=None):
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(BASE + path, data, headers), timeout=30) as answer:
        return json.load(answer)


def log_in():
    for body in credentials():
        try:
            return log_in_with(body)
        except urllib.error.HTTPError as error:
            if error.code != 422:
                raise
    raise RuntimeError("nobody could log in anywhere")


def log_in_with(body):
    for _ in range(30):
        try:
            return request("/api/v1/sessions", body)["access_token"]
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(float(error.headers.get("Retry-After", "1")))
    raise RuntimeError("nobody could log in: too many attempts")


class Shared:
    """The token of the run, replaced when some case ended its session."""

    lock = threading.Lock()
    token = None
    looked_at = 0.0

    @classmethod
    def get(cls):
        with cls.lock:
            now = time.monotonic()
            if cls.token is None or now - cls.looked_at > LOOK_EVERY:
                cls.looked_at = now
                if cls.token is None or not cls.counts():
                    cls.token = log_in()
            return cls.token

    @classmethod
    def counts(cls):
        try:
            request("/api/v1/units?limit=1", token=cls.token)
        except urllib.error.HTTPError as error:
            return error.code != 401
        return True


if WHO != "anonymous":

    @schemathesis.auth(refresh_interval=None)
    class Bearer:
        def get(self, case, context):
            ends = case.operation.path.startswith(LOG_OUT) and case.operation.method.upper() == "DELETE"
            return log_in() if ends else Shared.get()

        def set(self, case, token, context):
            case.headers["Authorization"] = f"Bearer {token}"
