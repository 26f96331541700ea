"""A mail server for scripts/mail.sh: takes codes from the running program, and refuses, stalls and drops now and then.

    take.py SERVER SMTP_PORT ACCOUNTS WORK READERS
"""

import asyncio
import collections
import email
import email.policy
import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

PATIENCE_SECONDS = 300
server, port, accounts, work, count = sys.argv[1], int(sys.argv[2]), json.load(open(sys.argv[3])), sys.argv[4], int(sys.argv[5])

# Accepted mails by Message-ID, and what was done to each address once.
taken = collections.defaultdict(list)
tricked = collections.Counter()
tricks = {0: "later", 1: "stall", 2: "drop after", 3: "drop before", 4: "not ours", 5: "disliked", 6: "late"}
# The server has the mail, and the program cannot know: it sends it again under the same Message-ID.
seen_twice = {"drop after", "late"}


def trick(address):
    """What is done to the first attempt for an address; None: it is taken."""
    number = int(re.match(r"reader(\d+)@", address)[1])
    what = tricks.get(number % 12)
    if what is None or tricked[address]:
        return None
    return what


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        assert session.ssl is not None and session.authenticated, "in the clear, or without a log-in"
        assert re.fullmatch(r"bounce\+\d+-[0-9a-f]{16}@bounces\.example\.org", address), address
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        refusals = {"later": "451 4.7.1 come back later", "not ours": "550 5.7.1 relaying denied"}
        refusal = refusals.get(trick(address))
        if refusal:
            tricked[address] += 1
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        (address,) = envelope.rcpt_tos
        what = trick(address)
        tricked[address] += what is not None
        if what == "stall":
            await asyncio.sleep(5)
            return "451 too late"
        if what == "drop before":
            server.transport.close()
            return "451 never said"
        if what == "disliked":
            return "554 5.7.1 looks like spam"
        if what == "late":
            await asyncio.sleep(3)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken[message["Message-ID"]].append((address, message))
        if what == "drop after":
            server.transport.close()
        return "250 taken"


def log_in(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"library", b"open-sesame")
    return AuthResult(success=good)


def ask(method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(server + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def done(answer, *wanted):
    status, body = answer
    assert status in wanted, (status, body)
    return body


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{work}/certificate.pem", f"{work}/key.pem")
controller = Controller(
    Handler(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=log_in, auth_required=True
)
controller.start()

person = next(one for one in accounts["staff"] if one["role"] == "librarian")
desk = done(ask("POST", "/api/v1/sessions", {"username": person["username"], "password": person["password"]}), 201)["access_token"]
people = {}
for number in range(count):
    card, pin = f"MAIL{number:06}", "739162"
    new = {"name": f"读者{number}", "category": "adult", "home_unit_code": person["unit_code"], "card_number": card, "pin": pin}
    reader = done(ask("POST", "/api/v1/readers", new, desk), 201)["id"]
    token = done(ask("POST", "/api/v1/sessions", {"card_number": card, "pin": pin}), 201)["access_token"]
    local = "nobody" if number % 25 == 24 else "reader"
    address = f"{local}{number}@example.org"
    done(ask("PUT", f"/api/v1/readers/{reader}/contacts/mail", {"address": address}, token), 200)
    people[address] = (token, reader)

wanted = {address for address in people if address.startswith("reader")}
end = time.monotonic() + PATIENCE_SECONDS
while {address for mails in taken.values() for address, _ in mails} != wanted:
    assert time.monotonic() < end, (len(taken), len(wanted))
    time.sleep(0.5)

# One mail is seen per notice: two with one Message-ID are one, and only what broke off after the last byte makes two.
assert len(taken) == len(wanted), (len(taken), len(wanted))
for message_id, mails in taken.items():
    assert re.fullmatch(r"<notice-\d+@example\.org>", message_id), message_id
    (address,) = {address for address, _ in mails}
    number = int(re.match(r"reader(\d+)@", address)[1])
    assert len(mails) == 1 or tricks.get(number % 12) in seen_twice, (address, len(mails))
    message = mails[-1][1]
    assert message["To"] == address and message["Auto-Submitted"] == "auto-generated", message["To"]
    plain = message.get_body(("plain",)).get_content()
    assert message.get_body(("html",)) is not None
    code = re.search(r"\b(\d{6})", plain)[1]
    token, _ = people[address]
    # Codes count ten minutes from when they were asked for: enough for the slowest here.
    assert done(ask("POST", "/api/v1/me/contacts/mail/confirmation", {"code": code}, token), 200)["confirmed"]

for address in people.keys() - wanted:
    token, reader = people[address]
    (notice,) = done(ask("GET", "/api/v1/me/notices", token=token), 200)["items"]
    assert notice["sendings"][0]["state"] == "bounced", notice
    contacts = done(ask("GET", f"/api/v1/readers/{reader}/contacts", token=token), 200)["items"]
    assert next(one for one in contacts if one["channel"] == "mail")["failing_since"], contacts
controller.stop()
print(f"mails={sum(map(len, taken.values()))} notices={len(taken)} tricks={sum(tricked.values())} bounced={len(people) - len(wanted)}")
