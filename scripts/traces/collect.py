"""A collector for scripts/traces.sh: asks the server, takes what it sends by OTLP, and judges it by the published definitions.

    collect.py SERVER COLLECTOR_PORT ACCOUNTS

Prints how many spans came.
"""

import http.server
import json
import re
import sys
import threading
import time
import urllib.error
import urllib.request

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE_SECONDS = 30
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ATTRIBUTES = {
    "http.request.method",
    "http.response.status_code",
    "tongjie.request_id",
    "db.system.name",
    "tongjie.waited_micros",
}

server, port, accounts = sys.argv[1], int(sys.argv[2]), json.load(open(sys.argv[3]))
spans, came = [], threading.Condition()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
        message = ExportTraceServiceRequest.FromString(body)
        # What the definitions do not know would be told here.
        assert message.SerializeToString() == body, "not what the definitions say"
        with came:
            for of_resource in message.resource_spans:
                names = {one.key: one.value.string_value for one in of_resource.resource.attributes}
                assert names["service.name"] == "street-branch", names
                for scope in of_resource.scope_spans:
                    spans.extend(scope.spans)
            came.notify_all()
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def ask(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body).encode() if body is not None else None
    if data:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(server + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def counted(outcome):
    text = ask("GET", "/metrics")[1]
    return float(re.search(rf'tongjie_trace_spans_total{{outcome="{outcome}"}} (\S+)', text)[1])


def span_of(request_id):
    """The span of a request, once it has come."""
    end = time.monotonic() + PATIENCE_SECONDS
    with came:
        while True:
            for span in spans:
                if attributes(span).get("tongjie.request_id") == request_id:
                    return span
            assert came.wait(end - time.monotonic()), f"no span of {request_id} came"


def attributes(span):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


# Nobody listens yet: nothing fails, and what is lost is counted.
for _ in range(50):
    assert ask("GET", "/health/ready")[0] == 200
end = time.monotonic() + PATIENCE_SECONDS
while counted("not_taken") == 0:
    assert time.monotonic() < end, "no drop was counted"
    time.sleep(0.1)

threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", port), Collector).serve_forever, daemon=True).start()
end = time.monotonic() + PATIENCE_SECONDS
while counted("sent") == 0:
    assert time.monotonic() < end, "nothing was sent"
    time.sleep(0.1)

parent = f"00-{TRACE}-{CALLER}-01"
person = next(one for one in accounts["staff"] if one["role"] == "librarian")
body = {"username": person["username"], "password": person["password"]}
status, text = ask("POST", "/api/v1/sessions", body, X_Request_Id="trace-log-in", traceparent=parent)
assert status == 201, (status, text)
token = "Bearer " + json.loads(text)["access_token"]
status, text = ask("GET", "/api/v1/units?limit=1", X_Request_Id="trace-list", Authorization=token)
assert status == 200, (status, text)
unit = json.loads(text)["items"][0]["code"]
assert ask("GET", f"/api/v1/units/{unit}-none", X_Request_Id="trace-none", Authorization=token)[0] == 404

log_in = span_of("trace-log-in")
assert (log_in.name, log_in.kind) == ("logIn", Span.SPAN_KIND_SERVER), log_in
assert (log_in.trace_id.hex(), log_in.parent_span_id.hex()) == (TRACE, CALLER), log_in
assert attributes(log_in)["http.response.status_code"] == 201
below = [span for span in spans if span.parent_span_id == log_in.span_id]
assert {"read transaction", "write transaction"} & {span.name for span in below}, below
assert all(attributes(span)["db.system.name"] == "sqlite" for span in below), below
listed, none = span_of("trace-list"), span_of("trace-none")
assert (listed.name, listed.parent_span_id) == ("listUnits", b""), listed
assert (none.name, attributes(none)["http.response.status_code"]) == ("getUnit", 404), none
with came:
    personal = [person["username"], person["password"], unit + "-none", token[7:27]]
    for span in spans:
        assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
        assert set(attributes(span)) <= ATTRIBUTES and not span.events and not span.links, span
        assert not any(text in str(span) for text in personal), span
    print(len(spans))
