"""The main job over HTTP: an order is stored, processed in the background, and its events leave."""
from conftest import PATIENT, unique
from harness import wait_for


def test_an_order_goes_from_http_to_its_event_on_kafka(gantry):
    number = unique("ORD")
    created = gantry.http.post("/v1/orders", {
        "number": number, "facility": "WEST", "patientRef": PATIENT,
        "items": [{"code": "CBC", "quantity": 2}, {"code": "HBA1C", "quantity": 1}]})
    assert created.status == 201, created
    order = created.json
    assert created.headers["location"] == f"/v1/orders/{order['id']}"
    assert order["id"][14] == "7", "an order's id is a UUIDv7"
    assert (order["status"], order["source"]) == ("PENDING", "API")
    assert order["items"] == [{"code": "CBC", "quantity": 2}, {"code": "HBA1C", "quantity": 1}]
    assert order["createdAt"] and not order.get("processedAt")

    queued = gantry.http.post(f"/v1/orders/{order['id']}/process")
    assert queued.status == 202, queued
    job = queued.json["job"]
    assert queued.json["message"] == "Order processing queued."
    assert queued.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["queue"], job["type"], job["key"]) == ("orders", "orders.process", order["id"])

    done = gantry.finished(job["id"])
    assert done["state"] == "SUCCEEDED", done
    assert done["startTime"] and done["finishTime"]
    order = gantry.order(order["id"])
    assert order["status"] == "PROCESSED" and order["processedAt"]

    def events():
        found = [r for r in gantry.kafka.read("gantry.events.orders") if order["id"] in (r.key, r.headers.get("ce_subject"))
                 or order["id"] in (r.value or "")]
        types = [r.headers["ce_type"] for r in found]
        return found if "orders.order_processed" in types else None
    found = wait_for("event orders.order_processed", events)
    assert [r.headers["ce_type"] for r in found] == ["orders.order_created", "orders.order_processed"]
    for record in found:
        assert record.headers["ce_specversion"] == "1.0"
        assert record.headers["ce_id"] and record.headers["ce_source"] and record.headers["ce_time"]
        assert record.headers["content-type"].startswith("application/json")


def test_a_processed_order_is_not_processed_again(gantry):
    order = gantry.create_order()
    job = gantry.http.post(f"/v1/orders/{order['id']}/process").json["job"]
    assert gantry.finished(job["id"])["state"] == "SUCCEEDED"
    again = gantry.http.post(f"/v1/orders/{order['id']}/process")
    assert 400 <= again.status < 500, again
    assert again.headers["content-type"].startswith("application/problem+json")


def test_two_requests_to_process_at_once_make_one_job(gantry):
    order = gantry.create_order()
    first = gantry.http.post(f"/v1/orders/{order['id']}/process")
    second = gantry.http.post(f"/v1/orders/{order['id']}/process")
    assert first.status == 202
    if second.status == 202:
        assert second.json["job"]["id"] == first.json["job"]["id"]
    else:
        assert 400 <= second.status < 500 and gantry.order(order["id"])["status"] == "PROCESSED"
    assert gantry.finished(first.json["job"]["id"])["state"] == "SUCCEEDED"
    records = [r for r in gantry.kafka.read("gantry.events.orders")
               if order["id"] in (r.value or "") and r.headers["ce_type"] == "orders.order_processed"]
    assert len(records) <= 1


def test_orders_are_listed_by_number_facility_and_status_a_page_at_a_time(gantry):
    facility = unique("FAC")
    numbers = [unique("ORD") for _ in range(5)]
    for number in numbers:
        gantry.create_order(number, facility)
    assert [o["number"] for o in gantry.orders(facility=facility)] == numbers[::-1], "newest first"
    assert [o["number"] for o in gantry.orders(number=numbers[2], facility=facility)] == [numbers[2]]
    assert gantry.orders(facility=facility, status="PROCESSED") == []
    seen, token = [], ""
    for _ in range(3):
        page = gantry.http.get(f"/v1/orders?facility={facility}&pageSize=2&pageToken={token}").json
        seen += [o["number"] for o in page["orders"]]
        token = page["nextPageToken"]
    assert token == "" and seen == numbers[::-1]


def test_a_facility_has_a_number_once(gantry):
    order = gantry.create_order()
    again = gantry.http.post("/v1/orders", {"number": order["number"], "facility": order["facility"],
                                            "items": [{"code": "CBC", "quantity": 1}]})
    assert again.status == 409, again
    elsewhere = gantry.create_order(order["number"], unique("FAC"))
    assert elsewhere["id"] != order["id"]
