"""One running Gantry a relay mode, shared by the tests that do not need their own."""
import json
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from harness import Http, Kafka, Mllp, Sql, Stack, orm, wait_for

# Cheap tests first; the ones that kill things last; then what can only be judged at the end.
ORDER = ["test_options", "test_main_job", "test_jobs", "test_hl7", "test_schedules", "test_order_sync",
         "test_raw_kafka", "test_outbox", "test_bad_requests", "test_operating", "test_chaos", "test_privacy"]
MODES = [mode for mode in os.environ.get("GANTRY_E2E_MODES", "wal,polling").split(",") if mode]

SETTINGS = {
    "queue-worker": {"orders.sync.interval": "500ms", "orders.sync.timeout": "2s"},
    "outbox-relay": {},
}


class Gantry:
    """A running stack and a client for everything that it speaks."""

    def __init__(self, stack):
        self.stack = stack
        self.http = Http("http://" + stack.address("api-gateway.http"))
        self.sink = Http("http://" + stack.address("sink"))
        self.kafka = Kafka(stack.brokers)
        self.sql = Sql(stack.database_url)

    def mllp(self, timeout=10.0):
        return Mllp(self.stack.address("mllp-listener.mllp"), timeout)

    def enqueue(self, type="gantry.noop", queue="default", **fields):
        answer = self.http.post("/v1/jobs", {"queue": queue, "type": type, **fields})
        assert answer.status == 202, answer
        return answer.json

    def job(self, job_id):
        answer = self.http.get(f"/v1/jobs/{job_id}")
        assert answer.status == 200, answer
        return answer.json

    def finished(self, job_id, limit=30.0, states=("SUCCEEDED", "DEAD", "CANCELLED")):
        """The job once it is in one of the states."""
        def look():
            job = self.job(job_id)
            return job if job["state"] in states else None
        return wait_for(f"job {job_id} in {'/'.join(states)}", look, limit)

    def order(self, order_id):
        answer = self.http.get(f"/v1/orders/{order_id}")
        assert answer.status == 200, answer
        return answer.json

    def orders(self, **filters):
        query = "&".join(f"{key}={value}" for key, value in filters.items())
        answer = self.http.get(f"/v1/orders?{query}")
        assert answer.status == 200, answer
        return answer.json["orders"]

    def create_order(self, number=None, facility="E2E", items=None):
        answer = self.http.post("/v1/orders", {
            "number": number or unique("ORD"), "facility": facility, "patientRef": PATIENT,
            "items": items or [{"code": "CBC", "quantity": 1}]})
        assert answer.status == 201, answer
        return answer.json

    def records(self, topic, **headers):
        """The records of a topic whose headers are these (`ce_id="…"`)."""
        return [record for record in self.kafka.read(topic)
                if all(record.headers.get(name) == value for name, value in headers.items())]

    def metric(self, service, name, **labels):
        """The sum of a metric's samples that have these labels."""
        http = self.stack.admin(service)
        total = 0.0
        for line in http.get("/metrics").text.splitlines():
            if line.startswith(name) and (line[len(name)] in " {"):
                if all(f'{label}="{value}"' in line for label, value in labels.items()):
                    total += float(line.rsplit(" ", 1)[1])
        http.close()
        return total

    def settle(self):
        """Waits until every service is ready again."""
        for name in self.stack.names:
            if self.stack.processes[name].pid is None:
                self.stack.start(name)
        for name in self.stack.names:
            self.stack.wait_ready(name)


# Stands in every order and message as the patient, so that no log or metric may hold it.
PATIENT = "PHIPATIENT7731"


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def message(number=None, control_id=None, facility="NORTH", **fields):
    return orm(control_id or unique("MSG"), number or unique("HL7"), facility, patient=PATIENT, **fields)


@pytest.fixture(scope="session", params=MODES)
def gantry(request):
    folder = Path(tempfile.mkdtemp(prefix="gantry-e2e."))
    folder.chmod(0o755)
    stack = Stack(folder, kafka="apache", mode=request.param, schedulers=2, settings=SETTINGS)
    try:
        started = time.monotonic()
        stack.up()
        print(f"\n{request.param}: everything was up after {time.monotonic() - started:.1f} s")
        yield Gantry(stack)
    finally:
        stack.down()
        if keep := os.environ.get("GANTRY_E2E_LOGS"):
            shutil.copytree(folder / "logs", Path(keep) / request.param, dirs_exist_ok=True)
        stack._script("postgres.sh", "destroy", folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items):
    def place(item):
        mode = item.callspec.params.get("gantry", "") if hasattr(item, "callspec") else ""
        module = item.module.__name__.rsplit(".", 1)[-1]
        return (MODES.index(mode) if mode in MODES else -1,
                ORDER.index(module) if module in ORDER else len(ORDER))
    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure says what the services had to complain about."""
    outcome = yield
    report = outcome.get_result()
    fixture = item.funcargs.get("gantry") if hasattr(item, "funcargs") else None
    if report.failed and fixture is not None:
        report.sections.append(("services", complaints(fixture.stack)))


def complaints(stack):
    lines = []
    for name in stack.names:
        process = stack.processes[name]
        if process.pid is None:
            lines.append(f"{name} does not run")
        for line in process.tail(400).splitlines():
            try:
                level = json.loads(line).get("level", "")
            except ValueError:
                level = "raw"
            if level not in ("debug", "info", "trace"):
                lines.append(f"{name}: {line[:400]}")
    return "\n".join(lines[-60:])
