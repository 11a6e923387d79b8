"""Every bad request is refused with a problem or a NAK that names its fault."""
import json
import uuid

import pytest

from conftest import message, unique
from harness import b64, segment

JSON = {"Content-Type": "application/json"}
ORDER = {"number": "BAD-1", "facility": "E2E", "patientRef": "P", "items": [{"code": "CBC", "quantity": 1}]}
JOB = {"queue": "default", "type": "gantry.noop"}
NOBODY = str(uuid.UUID("018f0000-0000-7000-8000-000000000000"))


def job(**fields):
    return {**JOB, **fields}


def order(**fields):
    return {**ORDER, **fields}


# name: method, path, body, headers, status, what the problem's text must name
TABLE = {
    "malformed JSON": ("POST", "/v1/orders", b'{"number": ', JSON, 400, "ends too early"),
    "trailing garbage": ("POST", "/v1/jobs", b'{"queue":"default","type":"gantry.noop"} x', JSON, 400, "goes on after its value"),
    "an empty body": ("POST", "/v1/jobs", b"", JSON, 400, ""),
    "an array for an object": ("POST", "/v1/jobs", [JOB], {}, 400, ""),
    "a string for an object": ("POST", "/v1/orders", "hello", {}, 400, ""),
    "an unknown field": ("POST", "/v1/jobs", job(colour="red"), {}, 400, "colour"),
    "an unknown nested field": ("POST", "/v1/orders", order(items=[{"code": "CBC", "quantity": 1, "weight": 2}]), {}, 400, "weight"),
    "text for a number": ("POST", "/v1/jobs", job(maxAttempts="many"), {}, 400, "axAttempts"),
    "a fraction for a whole number": ("POST", "/v1/orders", order(items=[{"code": "CBC", "quantity": 1.5}]), {}, 400, "quantity"),
    "a number beyond its range": ("POST", "/v1/orders", order(items=[{"code": "CBC", "quantity": 99999999999}]), {}, 400, "quantity"),
    "an object for a list": ("POST", "/v1/orders", order(items={"code": "CBC"}), {}, 400, "items"),
    "a number for text": ("POST", "/v1/orders", order(facility={}), {}, 400, "facility"),
    "payload that is no base64": ("POST", "/v1/jobs", job(payload="*** no ***"), {}, 400, "payload"),
    "a time that is none": ("POST", "/v1/jobs", job(runAt="tomorrow"), {}, 400, "runAt"),
    "a duration that is none": ("POST", "/v1/jobs", job(timeout="soon"), {}, 400, "timeout"),
    "no queue": ("POST", "/v1/jobs", {"type": "gantry.noop"}, {}, 400, "queue"),
    "no type": ("POST", "/v1/jobs", {"queue": "default"}, {}, 400, "type"),
    "a queue nobody declared": ("POST", "/v1/jobs", job(queue="nowhere"), {}, 404, "nowhere"),
    "a queue that cannot be": ("POST", "/v1/jobs", job(queue="No Where!"), {}, 400, "queue"),
    "a type that cannot be": ("POST", "/v1/jobs", job(type="9 lives"), {}, 400, "type"),
    "too few attempts": ("POST", "/v1/jobs", job(maxAttempts=-1), {}, 400, "ttempts"),
    "too many attempts": ("POST", "/v1/jobs", job(maxAttempts=1001), {}, 400, "ttempts"),
    "a negative timeout": ("POST", "/v1/jobs", job(timeout="-5s"), {}, 400, "timeout"),
    "too long a key": ("POST", "/v1/jobs", job(key="k" * 256), {}, 400, "key"),
    "a payload over 1 MiB": ("POST", "/v1/jobs", job(payload=b64(b"x" * (1024 * 1024 + 1))), {}, (400, 413), "payload"),
    "a body over every limit": ("POST", "/v1/jobs", b'{"queue": "' + b"q" * (16 * 1024 * 1024) + b'"}', JSON, 413, ""),
    "an order without a number": ("POST", "/v1/orders", {k: v for k, v in ORDER.items() if k != "number"}, {}, 400, "number"),
    "an order without a facility": ("POST", "/v1/orders", order(facility=""), {}, 400, "facility"),
    "an order without items": ("POST", "/v1/orders", order(items=[]), {}, 400, "items"),
    "an item without a code": ("POST", "/v1/orders", order(items=[{"quantity": 1}]), {}, 400, "code"),
    "nothing of an item": ("POST", "/v1/orders", order(items=[{"code": "CBC", "quantity": 0}]), {}, 400, "quantity"),
    "too much of an item": ("POST", "/v1/orders", order(items=[{"code": "CBC", "quantity": 1000001}]), {}, 400, "quantity"),
    "too long a facility": ("POST", "/v1/orders", order(facility="F" * 101), {}, 400, "facility"),
    "a NUL in a text": ("POST", "/v1/orders", order(number="A\0B"), {}, 400, "number"),
    "text that is no UTF-8": ("POST", "/v1/orders", b'{"number": "\xff\xfe"}', JSON, 400, ""),
    "nested beyond reason": ("POST", "/v1/jobs", b"[" * 100000, JSON, 400, ""),
    "a form": ("POST", "/v1/jobs", b"queue=default", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    "an answer in XML": ("GET", "/v1/orders", None, {"Accept": "text/xml"}, 406, "application/json"),
    "an unknown job": ("GET", f"/v1/jobs/{NOBODY}", None, {}, 404, NOBODY),
    "an unknown event": ("GET", "/v1/jobs/evt-nobody-sent", None, {}, 404, "evt-nobody-sent"),
    "an unknown order": ("GET", f"/v1/orders/{NOBODY}", None, {}, 404, NOBODY),
    "an order id that is none": ("GET", "/v1/orders/42", None, {}, 400, "id"),
    "to process an unknown order": ("POST", f"/v1/orders/{NOBODY}/process", {}, {}, 404, NOBODY),
    "an unknown schedule": ("GET", "/v1/schedules/never", None, {}, 404, "never"),
    "an unknown message": ("GET", f"/v1/hl7/messages/{NOBODY}", None, {}, 404, NOBODY),
    "a path that is none": ("GET", "/v1/nothing/here", None, {}, 404, "/v1/nothing/here"),
    "a method that is not": ("DELETE", "/v1/orders", None, {}, 405, "GET, HEAD, POST"),
    "another that is not": ("PUT", f"/v1/jobs/{NOBODY}", {}, {}, 405, "GET, HEAD"),
    "an unknown parameter": ("GET", "/v1/jobs?colour=red", None, {}, 400, "colour"),
    "a page size that is none": ("GET", "/v1/jobs?pageSize=lots", None, {}, 400, "ageSize"),
    "a negative page size": ("GET", "/v1/orders?pageSize=-1", None, {}, 400, "age"),
    "a page token that is none": ("GET", "/v1/orders?pageToken=garbage", None, {}, 400, "oken"),
    "a state that is none": ("GET", "/v1/jobs?state=WAITING", None, {}, 400, "state"),
    "a status that is none": ("GET", "/v1/orders?status=LOST", None, {}, 400, "status"),
    "a cron field out of range": ("POST", "/v1/schedules:preview", {"spec": "61 * * * *"}, {}, 400, "spec"),
    "a schedule that never fires": ("POST", "/v1/schedules:preview", {"spec": "0 0 30 2 *"}, {}, 400, "spec"),
    "a time zone that is none": ("POST", "/v1/schedules:preview", {"spec": "0 0 * * *", "timeZone": "Mars/Base"}, {}, 400, "timeZone"),
    "headers without end": ("GET", "/v1/orders", None, {"X-Long": "x" * 100000}, 431, ""),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_bad_request_gets_a_problem_that_names_its_fault(gantry, name):
    method, path, body, headers, status, names = TABLE[name]
    try:
        answer = gantry.http.call(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        # The server may answer and close before it has read what is far too large.
        assert status in (413, 431)
        answer = None
    finally:
        gantry.http.close()
    if answer is not None:
        assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
        assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
        problem = answer.json
        assert problem["status"] == answer.status and problem["title"]
        assert names in json.dumps(problem, ensure_ascii=False), f"{names!r} is not named in {problem}"
        if answer.status == 405:
            assert answer.headers["allow"]
    # Another service's resource: it is the gateway whose health is looked at.
    assert gantry.http.get("/v1/hl7/messages?pageSize=1").status == 200, "the gateway serves on"


def test_a_second_order_of_a_number_names_the_first(gantry):
    first = gantry.create_order()
    answer = gantry.http.post("/v1/orders", order(number=first["number"], facility=first["facility"]))
    assert answer.status == 409 and first["id"] in answer.text, answer


# name: change of a good message, MSA-1 allowed, table 0357 code or location that ERR must name
HL7 = {
    "no MSH": (lambda m: m[m.index(b"PID|"):], ("AR", "AE"), ""),
    "half an MSH": (lambda m: m[:12], ("AR", "AE"), ""),
    "nothing": (lambda m: b"", ("AR", "AE"), ""),
    "binary": (lambda m: bytes(range(32, 255)).replace(b"\x1c", b""), ("AR", "AE"), ""),
    "no message type": (lambda m: m.replace(b"ORM^O01", b""), ("AR", "AE"), "MSH^1^9"),
    "no control id": (lambda m: replace_field(m, 10, b""), ("AR", "AE"), "MSH^1^10"),
    "no processing id": (lambda m: replace_field(m, 11, b""), ("AR", "AE"), "MSH^1^11"),
    "an unknown processing id": (lambda m: replace_field(m, 11, b"X"), ("AR",), "202"),
    "an unknown version": (lambda m: replace_field(m, 12, b"9.9"), ("AR",), "203"),
    "no version": (lambda m: replace_field(m, 12, b""), ("AR", "AE"), "MSH^1^12"),
}


def replace_field(data, number, value):
    msh, rest = data.split(b"\r", 1)
    fields = msh.split(b"|")
    fields[number - 1] = value
    return b"|".join(fields) + b"\r" + rest


@pytest.mark.parametrize("name", HL7)
def test_a_bad_message_gets_a_nak_that_names_its_fault(gantry, name):
    change, codes, names = HL7[name]
    control_id = unique("BAD")
    with gantry.mllp() as connection:
        nak = connection.send(change(message(control_id=control_id)))
        assert segment(nak, "MSA")[1] in codes, nak
        assert segment(nak, "ERR"), nak
        assert names in nak.decode(), nak
        assert b"DOE" not in nak and b"PHIPATIENT" not in nak, "a NAK repeats nothing of the message"
        assert segment(connection.send(message()), "MSA")[1] == "AA", "the connection serves on"
    assert gantry.http.get(f"/v1/hl7/messages?controlId={control_id}").json["messages"] == []
