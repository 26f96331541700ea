"""The steps of scripts/mail.sh --load: so many readers with an address and one loan that is due soon, and a mail server that counts.

    load.py SERVER SMTP_PORT ACCOUNTS WORK NOTICES readers|addresses|due|take

`readers` and `due` write to the database of a program that is stopped; `addresses` and `take` need it running.
"""

import concurrent.futures
import datetime
import http.client
import json
import logging
import os
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

PATIENCE_SECONDS = 600
server, port, accounts, work, count, step = (
    sys.argv[1], int(sys.argv[2]), json.load(open(sys.argv[3])), sys.argv[4], int(sys.argv[5]), sys.argv[6]
)
# It says of every log-in what will change in its next version.
logging.getLogger("mail.log").setLevel(logging.ERROR)
host = server.removeprefix("http://")
chosen = f"{work}/readers.json"


def run(statements):
    """Runs statements in one transaction, and answers the rows of the last one."""
    url = os.environ["TONGJIE__DATABASE__URL"]
    if url:
        script = "BEGIN;\n" + ";\n".join(statements) + ";\nCOMMIT;\n"
        command = [os.environ["MAIL_PSQL"], "-qAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", url]
        out = subprocess.run(command, input=script, text=True, capture_output=True, check=True).stdout
        return [line.split("\t") for line in out.splitlines()]
    with sqlite3.connect(os.environ["TONGJIE__DATA__DIR"] + "/tongjie.db") as database:
        for statement in statements:
            rows = database.execute(statement).fetchall()
    database.close()
    return rows


def ask(connection, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (200, 201), (answer.status, text)
    return json.loads(text or b"null")


def token_of(role):
    person = next(one for one in accounts["staff"] if one["role"] == role)
    body = {"username": person["username"], "password": person["password"]}
    return ask(http.client.HTTPConnection(host), "POST", "/api/v1/sessions", body)["access_token"]


def choose():
    """One loan and one reader for each notice: loans of the demo, given to as many readers."""
    loans = run([f"SELECT id FROM loans WHERE closed_at IS NULL AND NOT reading_room ORDER BY id LIMIT {count}"])
    people = run(
        ["SELECT id FROM readers WHERE status = 'active' AND merged_into IS NULL AND erased_at IS NULL ORDER BY id "
         f"LIMIT {count}"]
    )
    assert len(loans) == len(people) == count, (len(loans), len(people))
    pairs = [(int(loan), int(reader)) for (loan,), (reader,) in zip(loans, people)]
    json.dump(pairs, open(chosen, "w"))


def enter_addresses():
    desk = token_of("librarian")
    local = threading.local()

    def enter(reader):
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(host)
        body = {"address": f"reader{reader}@example.org"}
        ask(local.connection, "PUT", f"/api/v1/readers/{reader}/contacts/mail", body, desk)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, [reader for _, reader in json.load(open(chosen))]))


def make_due():
    """The reminders of the day have not run, and no reader waits for the end of the night or for more lines."""
    day = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))) + datetime.timedelta(days=2)
    due = int(day.replace(hour=23, minute=59, second=59, microsecond=0).timestamp() * 1000)
    pairs = json.load(open(chosen))
    far = due + 30 * 86_400_000
    statements = [
        f"UPDATE loans SET due_at = {far} WHERE closed_at IS NULL",
        # What the first start has told of already.
        "DELETE FROM notice_lines",
        "DELETE FROM notice_sendings",
        "DELETE FROM notices",
        "DELETE FROM outbox WHERE consumer = 'mail'",
        "DELETE FROM notice_preferences",
        "DELETE FROM jobs WHERE name = 'loan_reminders'",
    ]
    for loan, reader in pairs:
        statements.append(f"UPDATE loans SET reader_id = {reader}, due_at = {due} WHERE id = {loan}")
        statements.append(
            "INSERT INTO notice_preferences (reader_id, language, quiet_from, quiet_until, gathers, channels, version) "
            f"VALUES ({reader}, 'zh-CN', 0, 0, FALSE, '[]', 1)"
        )
    run(statements)


class Handler:
    def __init__(self, wanted):
        self.wanted = wanted
        self.taken = {}
        self.last = 0.0
        self.done = threading.Event()

    async def handle_DATA(self, server, session, envelope):
        (address,) = envelope.rcpt_tos
        assert address in self.wanted, address
        self.taken[address] = self.taken.get(address, 0) + 1
        self.last = time.time()
        if len(self.taken) == len(self.wanted):
            self.done.set()
        return "250 taken"


def log_in(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"library", b"open-sesame")
    return AuthResult(success=good)


def take():
    handler = Handler({f"reader{reader}@example.org" for _, reader in json.load(open(chosen))})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{work}/certificate.pem", f"{work}/key.pem")
    controller = Controller(
        handler, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=log_in, auth_required=True
    )
    controller.start()
    open(f"{work}/taking", "w").close()
    assert handler.done.wait(PATIENCE_SECONDS), (len(handler.taken), len(handler.wanted))
    # The server stays until what was taken last is noted, so that nothing is sent again.
    time.sleep(2)
    jobs = ask(http.client.HTTPConnection(host), "GET", "/api/v1/jobs", token=token_of("system"))["items"]
    controller.stop()
    assert set(handler.taken.values()) == {1}, "a notice came twice"
    began = next(job for job in jobs if job["name"] == "loan_reminders")["started_at"]
    began = datetime.datetime.fromisoformat(began.replace("Z", "+00:00")).timestamp()
    seconds = handler.last - began
    print(f"mail_load notices={len(handler.taken)} seconds={seconds:.1f} per_second={len(handler.taken) / seconds:.0f}")


{"readers": choose, "addresses": enter_addresses, "due": make_due, "take": take}[step]()
