"""Things are killed in the middle of 1,000 jobs and 200 HL7 messages. Nothing that was acknowledged is lost,
and no order is doubled. What is counted comes from the API, from Kafka and from the acknowledgements themselves.
"""
import signal
import threading
import time
from collections import Counter

import pytest

from conftest import message, unique
from harness import Http, Mllp, segment, wait_for

JOBS = 1000
MESSAGES = 200
KILLED = ["api-gateway", "queue-worker", "outbox-relay", "scheduler", "mllp-listener"]


class Load:
    """Two clients that send in parallel and repeat what was not acknowledged, as real ones do."""

    def __init__(self, gantry):
        self.gantry = gantry
        self.tag = unique("chaos")
        self.jobs = {}
        self.numbers = []
        self.controls = []
        self.faults = []
        self.end = time.monotonic() + 120
        self.threads = [threading.Thread(target=self._guard, args=(run,)) for run in (self._jobs, self._messages)]

    def _guard(self, run):
        try:
            run()
        except Exception as error:  # reported by the test's own thread
            self.faults.append(f"{type(error).__name__}: {error}")

    def _jobs(self):
        http = Http(self.gantry.http.base, timeout=15)
        for n in range(JOBS):
            body = {"queue": "default", "type": "gantry.noop", "requestId": f"{self.tag}-{n}", "maxAttempts": 5}
            while True:
                try:
                    answer = http.post("/v1/jobs", body)
                except OSError:
                    answer = None
                if answer is not None and answer.status == 202:
                    self.jobs[n] = answer.json["id"]
                    break
                if answer is not None and 400 <= answer.status < 500 and answer.status not in (408, 409, 429):
                    raise AssertionError(f"job {n} was refused: {answer}")
                self._pause(f"job {n}: {answer}")

    def _messages(self):
        connection = None
        for n in range(MESSAGES):
            number, control = f"{self.tag}-{n}", f"{self.tag}-c{n}"
            data = message(number, control, facility="CHAOS")
            while True:
                try:
                    connection = connection or Mllp(self.gantry.stack.address("mllp-listener.mllp"), timeout=10)
                    code = segment(connection.send(data), "MSA")[1]
                    assert code == "AA", f"message {n} was answered {code}"
                    break
                except (OSError, IndexError):
                    if connection is not None:
                        connection.close()
                    connection = None
                    self._pause(f"message {n}")
            self.numbers.append(number)
            self.controls.append(control)

    def _pause(self, what):
        if time.monotonic() > self.end:
            raise AssertionError(f"the load did not get through: {what}")
        time.sleep(0.05)

    def start(self):
        for thread in self.threads:
            thread.start()

    def reached(self, share):
        wait_for(f"{share:.0%} of the load",
                 lambda: self.faults or len(self.jobs) >= JOBS * share and len(self.numbers) >= MESSAGES * share, 60, 0.01)

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


def check(gantry, load):
    """Everything acknowledged is there, once."""
    gantry.settle()
    assert len(set(load.jobs.values())) == JOBS, "every accepted request is a job of its own"
    started = time.monotonic()
    states = Counter(gantry.finished(job_id, limit=60)["state"] for job_id in load.jobs.values())
    assert states == {"SUCCEEDED": JOBS}

    def orders():
        found, token = [], ""
        while True:
            page = gantry.http.get(f"/v1/orders?facility=CHAOS&pageSize=1000&pageToken={token}").json
            found += [o["number"] for o in page["orders"] if o["number"].startswith(load.tag)]
            token = page["nextPageToken"]
            if not token:
                return found
    wait_for("an order of every message", lambda: len(orders()) >= MESSAGES, 60, 0.3)
    assert Counter(orders()) == {number: 1 for number in load.numbers}, "each order exactly once"

    def on_kafka():
        seen = Counter()
        for record in gantry.kafka.read("gantry.hl7.orm"):
            if load.tag in (record.value or ""):
                seen[record.value.split("|")[9]] += 1
        return seen if len(seen) >= MESSAGES else None
    seen = wait_for("every message on Kafka", on_kafka, 60, 0.5)
    assert set(seen) == set(load.controls)
    print(f"\nchecked {time.monotonic() - started:.1f} s after the load; "
          f"{sum(seen.values()) - MESSAGES} repeated records on Kafka")


@pytest.mark.parametrize("service", KILLED)
def test_kill_9_loses_nothing_and_doubles_nothing(gantry, service):
    load = Load(gantry)
    load.start()
    for share in (0.2, 0.6):
        load.reached(share)
        gantry.stack.processes[service].kill()
        time.sleep(0.3)
        gantry.stack.start(service)
    load.join()
    check(gantry, load)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_postgresql_restarted_under_load(gantry, how):
    """Several times, because only some crashes hit a commit that is under way."""
    load = Load(gantry)
    load.start()
    for share in (0.2, 0.5, 0.8):
        load.reached(share)
        gantry.stack.stop_postgres(how)
        time.sleep(0.5)
        pids = {name: gantry.stack.processes[name].pid for name in gantry.stack.names}
        assert all(pids.values()), f"no service ends because its database is away: {pids}"
        gantry.stack.start_postgres()
    load.join()
    check(gantry, load)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_kafka_restarted_under_load(gantry, how):
    load = Load(gantry)
    load.start()
    load.reached(0.3)
    gantry.stack.stop_kafka(kill=how == "killed")
    key = unique("key")
    gantry.sql.rows(f"SELECT gantry.publish('gantry.events.orders', '{key}', 'e2e.tested', 'while away'::bytea)")
    load.reached(0.9)
    pids = {name: gantry.stack.processes[name].pid for name in gantry.stack.names}
    assert all(pids.values()), f"no service ends because Kafka is away: {pids}"
    gantry.stack.start_kafka()
    load.join()
    check(gantry, load)
    records = wait_for("event that was published while Kafka was away",
                       lambda: [r for r in gantry.kafka.read("gantry.events.orders") if r.key == key])
    assert records[0].value == "while away"


def test_a_scheduler_that_hangs_is_replaced_by_the_other(gantry):
    """SIGSTOP, so that its connections stay open: the worst way to go."""
    def newest():
        fires = gantry.http.get("/v1/schedules/demo-tick/fires?pageSize=1").json["fires"]
        return fires[0]["fireTime"]
    gantry.stack.processes["scheduler-2"].signal(signal.SIGSTOP)
    try:
        before = newest()
        wait_for("two fires of the other replica", lambda: newest() > before, 10)
        between = newest()
        wait_for("another fire", lambda: newest() > between, 10)
    finally:
        gantry.stack.processes["scheduler-2"].signal(signal.SIGCONT)
    gantry.settle()
    fires = gantry.http.get("/v1/schedules/demo-tick/fires?pageSize=1000").json["fires"]
    assert len({fire["fireTime"] for fire in fires}) == len(fires)
