"""OrderSyncWorker posts orders to the external system and survives it, one order at a time."""
import pytest

from conftest import unique
from harness import wait_for


@pytest.fixture(autouse=True)
def healthy_sink(gantry):
    yield
    gantry.sink.post("/control", {"fail": [], "down": False})


def taken(gantry):
    """The external system's orders by number."""
    return {entry["order"]["number"]: entry for entry in gantry.sink.get("/orders").json["orders"]}


def test_orders_arrive_once_with_an_idempotency_key(gantry):
    orders = [gantry.create_order() for _ in range(5)]
    for order in orders:
        entry = wait_for("order at the external system", lambda o=order: taken(gantry).get(o["number"]))
        assert entry["key"]
        wait_for("syncedAt", lambda o=order: gantry.order(o["id"]).get("syncedAt"))
    entries = gantry.sink.get("/orders").json["orders"]
    for order in orders:
        mine = [e for e in entries if e["order"]["number"] == order["number"]]
        assert len(mine) == 1 and mine[0]["posts"] == 1


def test_one_refused_order_stops_no_other_and_comes_through_later(gantry):
    bad, good = unique("ORD"), unique("ORD")
    gantry.sink.post("/control", {"fail": [bad]})
    refused = gantry.create_order(bad)
    gantry.create_order(good)
    wait_for("the good order", lambda: good in taken(gantry))
    assert bad not in taken(gantry)
    gantry.sink.post("/control", {"fail": []})
    wait_for("the refused order", lambda: bad in taken(gantry), 60)
    wait_for("syncedAt", lambda: gantry.order(refused["id"]).get("syncedAt"))


def test_the_worker_outlives_an_outage_and_shows_its_state(gantry):
    gantry.sink.post("/control", {"down": True, "status": 503})
    order = gantry.create_order()
    wait_for("a refusal", lambda: gantry.sink.get("/orders").json["refused"] > 0)
    admin = gantry.stack.admin("queue-worker")
    health = admin.get("/health")
    assert health.status == 200 and "sync" in health.text, health
    assert admin.get("/readyz").status == 200
    admin.close()
    gantry.sink.post("/control", {"down": False})
    wait_for("order after the outage", lambda: order["number"] in taken(gantry), 60)
