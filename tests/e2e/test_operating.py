"""What an operator sees: probes, metrics, a stop within its limit, memory."""
import time

import pytest

from conftest import unique
from harness import SERVICES, rss_anon_kib, wait_for

ALL = [*SERVICES, "scheduler-2"]


@pytest.mark.parametrize("service", ALL)
def test_probes_and_metrics_answer(gantry, service):
    admin = gantry.stack.admin(service)
    for path in ("/livez", "/readyz", "/startupz"):
        assert admin.get(path).status == 200
    health = admin.get("/health")
    assert health.status == 200 and health.json
    metrics = admin.get("/metrics")
    assert metrics.status == 200 and metrics.headers["content-type"].startswith("text/plain")
    assert "gantry_" in metrics.text and "process_resident_memory_bytes" in metrics.text
    version = admin.get("/version")
    assert version.status == 200 and "version" in version.text
    assert admin.call("POST", "/livez", b"").status == 405
    assert admin.get("/nothing").status == 404
    admin.close()


def test_the_gateway_shows_the_health_of_all_five(gantry):
    answer = gantry.http.get("/health")
    assert answer.status == 200, answer
    for service in ("queue", "outbox", "scheduler", "mllp"):
        assert service in answer.text


@pytest.mark.parametrize("service", ALL)
def test_sigterm_ends_a_service_with_0_within_its_limit(gantry, service):
    process = gantry.stack.processes[service]
    started = time.monotonic()
    assert process.stop(30) == 0, process.tail()
    took = time.monotonic() - started
    assert took < 10, f"{service} took {took:.1f} s to stop while idle"
    gantry.stack.start(service)
    seconds = gantry.stack.wait_ready(service)
    print(f"\n{service}: stopped in {took * 1000:.0f} ms, ready again in {seconds * 1000:.0f} ms")
    # The goal is 1 s; an outgoing group member or lease holder may delay its successor a little.
    assert seconds < 5
    gantry.settle()


def test_jobs_run_after_every_service_was_restarted(gantry):
    assert gantry.finished(gantry.enqueue()["id"])["state"] == "SUCCEEDED"


def test_a_caller_sees_503_while_a_backend_is_away_and_then_service_again(gantry):
    gantry.stack.processes["queue-worker"].stop()
    try:
        started = time.monotonic()
        answer = gantry.http.post("/v1/jobs", {"queue": "default", "type": "gantry.noop"})
        assert answer.status == 503 and time.monotonic() - started < 15, answer
        assert answer.headers["content-type"].startswith("application/problem+json")
    finally:
        gantry.stack.start("queue-worker")
        gantry.settle()
    wait_for("service", lambda: gantry.http.post("/v1/jobs", {"queue": "default", "type": "gantry.noop"}).status == 202)


def test_a_binary_idles_in_little_memory(gantry, record_property):
    """Under 30 MiB anonymous each, also after all that was asked of them here."""
    sizes = {name: rss_anon_kib(gantry.stack.processes[name].pid) / 1024 for name in ALL}
    text = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    print(f"\nRssAnon in MiB: {text}")
    record_property("rss_anon_mib", text)
    assert all(size < 30 for size in sizes.values()), text


def test_an_order_still_works_after_all_that(gantry):
    order = gantry.create_order(unique("ORD"))
    job = gantry.http.post(f"/v1/orders/{order['id']}/process").json["job"]
    assert gantry.finished(job["id"])["state"] == "SUCCEEDED"
