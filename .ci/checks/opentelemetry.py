"""What the check `opentelemetry` asserts: its argument is the directory with what
was received, printed, logged and kept."""

import json
import pathlib
import re
import sys

work = pathlib.Path(sys.argv[1])
SERVER, INTERNAL = 2, 1
UNSET, ERROR = 0, 2


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line[:1] == "{"]


def exchanges(directory):
    return [e for path in sorted(directory.glob("*.jsonl")) for e in lines(path)]


def plain(attributes):
    """Names and values, with the types of OTLP."""
    values = {}
    for attribute in attributes:
        assert attribute["key"] not in values, attribute
        ((kind, value),) = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


def names(span):
    return [event["name"] for event in span["events"]]


def only(found):
    found = list(found)
    assert len(found) == 1, found
    return found[0]


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


spans = lines(work / "received")
by_id = {span["spanId"]: span for span in spans}
assert len(by_id) == len(spans), "no span twice"
for span in spans:
    span["plain"] = plain(span["attributes"])
servers = [span for span in spans if span["kind"] == SERVER]


def of_request(correlation_id, name):
    of = lambda s: s["plain"].get("correlation_id") == correlation_id and s["name"] == name
    return only(filter(of, servers))


def check_ids(span, correlation_id, log, header=None):
    """Checks that every output has the same IDs of the request."""
    mine = [line for line in log if line.get("correlation_id") == correlation_id]
    request = only(line for line in mine if line["message"] == "request")
    for line in mine:
        equal((line["trace_id"], line["span_id"]), (span["traceId"], span["spanId"]))
    if header is not None:
        # Sampled, and with the random trace ID that W3C Trace Context requires.
        equal(header, f'trace;desc="00-{span["traceId"]}-{span["spanId"]}-03"')
    return request


def check_recipe(correlation_id, expected):
    """docs/tools/jaeger-tempo.md, from the ID alone: by the trace, and by the attribute."""
    trace = [s for s in spans if s["traceId"] == correlation_id.replace("-", "")]
    by_attribute = [s for s in spans if s["plain"].get("correlation_id") == correlation_id]
    assert trace, correlation_id
    for span in expected:
        assert span in trace, span["name"]
        assert span["plain"].get("correlation_id") is None or span in by_attribute
    assert all(s["traceId"] == trace[0]["traceId"] for s in by_attribute)


def check_kept(span, kept):
    equal(kept["correlation"]["trace_id"], span["traceId"])
    equal(kept["correlation"]["span_id"], span["spanId"])
    equal(kept["correlation"]["id"], span["plain"]["correlation_id"])


def check_events(span, kept, expected):
    """Checks the recorded events, each once and with its original time."""
    debug = [e for e in span["events"] if plain(e["attributes"])["level"] == "DEBUG"]
    equal([e["name"] for e in debug], expected)
    recorded = {e["message"]: e for e in kept["events"]}
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    for event in debug:
        # The exchange has microseconds since its own start, which precedes the span's.
        since = (int(event["timeUnixNano"]) - start) / 1000
        at = recorded[event["name"]]["at_us"]
        assert abs(since - at) < 5000, (event, at, since)
        assert start <= int(event["timeUnixNano"]) <= end, event
    times = [int(event["timeUnixNano"]) for event in debug]
    equal(times, sorted(times))


def check_conventions(span, method, route, status):
    attributes = span["plain"]
    equal(span["name"], f"{method} {route}")
    for name, value in {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "network.protocol.version": "1.1",
    }.items():
        equal(attributes[name], value)
    assert isinstance(attributes["server.port"], int), attributes
    failed = status >= 500
    equal(span["status"]["code"], ERROR if failed else UNSET)
    equal(attributes.get("error.type"), str(status) if failed else None)
    equal(attributes["dashcam.outcome"], "failed" if failed else "completed")


# ---- two services

row = re.compile(r"^ *(\d+) +(\d{3}) +(\S+) +(trace;\S+)$", re.M)
visits = row.findall((work / "two.out").read_text())
equal([(int(cents), int(status)) for cents, status, *_ in visits],
      [(990, 200), (4900, 200), (129000, 502), (1250, 200)])
logs = {name: lines(work / "two" / f"{name}.log") for name in ("gateway", "backend")}
kept = {name: exchanges(work / "two" / name) for name in ("gateway", "backend")}
for cents, status, correlation_id, header in visits:
    failed = status == "502"
    gateway = of_request(correlation_id, "POST /checkout")
    backend = of_request(correlation_id, "POST /charges")
    check_conventions(gateway, "POST", "/checkout", int(status))
    check_conventions(backend, "POST", "/charges", 500 if failed else 200)
    check_ids(gateway, correlation_id, logs["gateway"], header)
    check_ids(backend, correlation_id, logs["backend"])

    # One trace, through the span of the gateway's call.
    call = by_id[backend["parentSpanId"]]
    check_recipe(correlation_id, [gateway, call, backend])
    equal((call["name"], call["kind"]), ("charge", INTERNAL))
    equal(call["parentSpanId"], gateway["spanId"])
    equal(gateway["parentSpanId"], "")
    equal({s["traceId"] for s in (gateway, call, backend)}, {gateway["traceId"]})
    equal(gateway["plain"]["url.path"], "/checkout")

    if not failed:
        equal(names(gateway), ["request"])
        equal(sorted(names(backend)), ["charged", "request"])
        assert gateway["plain"]["dashcam.kept"] is False
        continue
    one = only(kept["gateway"])
    check_kept(gateway, one)
    check_events(gateway, one, ["checking out", "asking the backend", "the backend answered"])
    other = only(kept["backend"])
    check_kept(backend, other)
    check_events(backend, other, ["looking at the limit", "wrote the amount"])
    equal(other["correlation"]["parent_id"], call["spanId"])
    # The customer has one pseudonym everywhere, and the name is nowhere.
    looking = only(e for e in backend["events"] if e["name"] == "looking at the limit")
    checking = only(e for e in gateway["events"] if e["name"] == "checking out")
    customer = plain(looking["attributes"])["customer"]
    assert customer.startswith("[~"), customer
    equal(plain(checking["attributes"])["customer"], customer)
    assert plain(looking["attributes"])["cents"] == 129000

# ---- one service, with a rule and with bodies

row = re.compile(r"^order (\d+): (\d{3}) (\S+) (trace;\S+)$", re.M)
visits = row.findall((work / "one.out").read_text())
equal([(order, status) for order, status, *_ in visits],
      [("1", "200"), ("2", "200"), ("3", "500"), ("7", "200")])
log, kept = lines(work / "one.log"), exchanges(work / "one")
for order, status, correlation_id, header in visits:
    span = of_request(correlation_id, "POST /orders/{id}/payment")
    check_conventions(span, "POST", "/orders/{id}/payment", int(status))
    check_ids(span, correlation_id, log, header)
    check_recipe(correlation_id, [span])
    bodies = [name for name in span["plain"] if ".body." in name]
    if order in ("1", "2"):
        equal(names(span), ["request"])
        equal(bodies, [])
        equal("dashcam.selected" in span["plain"], False)
        continue
    one = only(e for e in kept if e["correlation"]["id"] == correlation_id)
    check_kept(span, one)
    body = span["plain"]["http.request.body.content"]
    equal(body, one["request"]["body"]["content"]["text"])
    assert "Ada" not in body and '"cents":' in body, body
    if order == "3":
        check_events(span, one, ["looking for the order", "counting points"])
    else:
        equal(span["plain"]["dashcam.selected"], "order-7")
        assert "looking for the order" in names(span)

assert "Ada Byron" not in (work / "received").read_text()
print(f"{len(spans)} spans, as they should be")
