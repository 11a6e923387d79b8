"""The main job, step by step, over an instance that scripts/up started. Ends with 1 if a step did not work."""
import json
import sys
import textwrap
import time
import uuid
from datetime import datetime, timedelta, timezone

from clients import Http, Kafka, Mllp, Sql, b64, orm, segment, wait_for
from stack import Stack, rss_anon_kib

BOLD, DIM, RED, GREEN, END = ("\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m") if sys.stdout.isatty() else [""] * 5


def shorten(text, limit=400):
    return text if len(text) <= limit else text[:limit] + " …"


def show(arrow, text):
    first, *rest = textwrap.wrap(text, 108, break_on_hyphens=False) or [""]
    print(f"   {arrow} {first}")
    for line in rest:
        print(f"       {line}")
    sys.stdout.flush()


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def sent(text):
    show("→", shorten(text))


def back(text):
    show("←", shorten(text))


def note(text):
    print(f"     {DIM}{text}{END}", flush=True)


class Demo:
    def __init__(self, run_dir):
        self.stack = Stack(run_dir)
        self.http = Http("http://" + self.stack.address("api-gateway.http"))
        self.sink = Http("http://" + self.stack.address("sink"))
        self.kafka = Kafka(self.stack.brokers)
        self.sql = Sql(self.stack.database_url)
        self.tag = uuid.uuid4().hex[:8]
        self.failed = []

    # What every step is made of

    def ask(self, method, path, body=None, expect=None):
        sent(f"{method} {path}" + (f"  {json.dumps(body, ensure_ascii=False)}" if body is not None else ""))
        answer = self.http.call(method, path, body)
        location = f"  Location: {answer.headers['location']}" if "location" in answer.headers else ""
        back(f"{answer.status}{location}  {answer.text}")
        if expect is not None:
            assert answer.status == expect, f"expected {expect}"
        return answer.json

    def finished(self, job_id, limit=30):
        """Waits for a job's end and shows it."""
        def look():
            job = self.http.get(f"/v1/jobs/{job_id}").json
            return job if job["state"] in ("SUCCEEDED", "DEAD", "CANCELLED") else None
        job = wait_for(f"the end of job {job_id}", look, limit)
        back(f"GET /v1/jobs/{job_id}: state {job['state']}, attempt {job['attempt']}"
             + (f", result {job['result']}" if job.get("result") else "") + (f", error {job['error']!r}" if job.get("error") else ""))
        return job

    def record(self, topic, what, match, limit=30):
        """Waits for a record on Kafka, read by kcat, and shows it."""
        records = wait_for(f"{what} on {topic}", lambda: [r for r in self.kafka.read(topic) if match(r)], limit, 0.2)
        r = records[-1]
        kind = " ".join(f"{name}={r.headers[name]}" for name in ("ce_type", "ce_source") if name in r.headers)
        back(f"Kafka {topic} [partition {r.partition}, offset {r.offset}] key={r.key} {kind} value={shorten(repr(r.value), 160)}")
        return records

    # The steps

    def order(self):
        """An order over HTTP: stored, processed in the background, told to the world"""
        number = f"DEMO-{self.tag}"
        order = self.ask("POST", "/v1/orders", {
            "number": number, "facility": "DEMO", "patientRef": "demo-patient",
            "items": [{"code": "CBC", "quantity": 1}, {"code": "HBA1C", "quantity": 2}]}, expect=201)
        queued = self.ask("POST", f"/v1/orders/{order['id']}/process", {}, expect=202)
        note("202 came after the commit: the job's row and its wake-up are in PostgreSQL; outbox-relay takes the wake-up to Kafka,")
        note("queue-worker takes it from there through a bounded channel and runs the handler")
        assert self.finished(queued["job"]["id"])["state"] == "SUCCEEDED"
        order = self.ask("GET", f"/v1/orders/{order['id']}")
        assert order["status"] == "PROCESSED"
        self.record("gantry.events.orders", "the event",
                    lambda r: r.headers.get("ce_type") == "orders.order_processed" and order["id"] in f"{r.key}{r.value}")

    def job(self):
        """Any job over HTTP: gantry.echo gives back what it was given"""
        job = self.ask("POST", "/v1/jobs", {"queue": "default", "type": "gantry.echo", "payload": b64("hello, gantry"),
                                            "contentType": "text/plain"}, expect=202)
        done = self.finished(job["id"])
        assert done["state"] == "SUCCEEDED" and done["result"] == b64("hello, gantry")

    def later(self):
        """A job that waits for its time"""
        run_at = (datetime.now(timezone.utc) + timedelta(seconds=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        job = self.ask("POST", "/v1/jobs", {"queue": "default", "type": "gantry.noop", "runAt": run_at}, expect=202)
        assert job["state"] == "SCHEDULED"
        done = self.finished(job["id"])
        back(f"asked for {run_at}, started {done['startTime']}")
        assert done["state"] == "SUCCEEDED"

    def dead(self):
        """A job that fails is retried with backoff; after its last attempt it is a dead letter"""
        job = self.ask("POST", "/v1/jobs", {"queue": "default", "type": "gantry.fail", "maxAttempts": 3}, expect=202)
        dead = self.finished(job["id"], 60)
        assert dead["state"] == "DEAD" and dead["attempt"] == 3
        self.record("gantry.dead.jobs", "the dead letter", lambda r: job["id"] in f"{r.key}{r.value}{r.headers}")

    def burst(self):
        """More jobs than the worker's channel holds: polling pauses, none is lost"""
        sent("SELECT gantry.enqueue('default', 'gantry.sleep', '20ms') FROM generate_series(1, 400)      (psql)")
        started = time.monotonic()
        ids = [row[0] for row in self.sql.rows(
            "SELECT gantry.enqueue('default', 'gantry.sleep', '20ms'::bytea) FROM generate_series(1, 400)")]
        for job_id in ids:
            wait_for(f"the end of job {job_id}",
                     lambda j=job_id: self.http.get(f"/v1/jobs/{j}").json["state"] == "SUCCEEDED", 60)
        back(f"all 400 SUCCEEDED after {time.monotonic() - started:.1f} s, with a channel of 100 and 16 executors")

    def hl7(self):
        """An HL7 order over MLLP: acknowledged only when message, event and job are committed"""
        number = f"HL7-{self.tag}"
        message = orm(f"MSG-{self.tag}", number, "NORTH", patient="demo-patient", codes=("CBC", "LIPID"))
        sent(f"MLLP {self.stack.address('mllp-listener.mllp')}  " + " ⏎ ".join(message.decode().split("\r")[:-1]))
        with Mllp(self.stack.address("mllp-listener.mllp")) as connection:
            ack = connection.send(message)
            back(" ⏎ ".join(ack.decode().strip("\r").split("\r")))
            assert segment(ack, "MSA")[1] == "AA"
            self.record("gantry.hl7.orm", "the event", lambda r: f"MSG-{self.tag}" in (r.value or ""))
            order = wait_for("the order", lambda: self.http.get(f"/v1/orders?number={number}&facility=NORTH").json["orders"])[0]
            back(f"GET /v1/orders?number={number}&facility=NORTH: {json.dumps(order)}")
            sent("the same message again")
            again = connection.send(message)
            back(" ⏎ ".join(again.decode().strip("\r").split("\r")))
            assert again == ack, "the answer differs"
        time.sleep(1)
        orders = self.http.get(f"/v1/orders?number={number}").json["orders"]
        back(f"still {len(orders)} order of that number, and the same answer, byte for byte")
        assert len(orders) == 1

    def cron(self):
        """Schedules: exactly one job a fire, though two scheduler replicas run"""
        schedule = self.ask("GET", "/v1/schedules/daily-report")
        assert schedule["nextFireTime"].split("T")[1].startswith("02:00:00")

        def fires():
            found = [f for f in self.http.get("/v1/schedules/demo-tick/fires?pageSize=1000").json["fires"] if f["outcome"] == "FIRED"]
            return found if len(found) >= 3 else None
        sent("GET /v1/schedules/demo-tick/fires?pageSize=1000   (it fires every 3 s)")
        found = wait_for("three fires", fires, 30)
        for fire in found[:3]:
            back(f"fire {fire['fireTime']} → job {fire['jobId']}")
        assert len({f["fireTime"] for f in found}) == len(found) == len({f["jobId"] for f in found})
        back(f"{len(found)} fires, {len({f['jobId'] for f in found})} jobs")
        assert self.finished(found[0]["jobId"])["state"] == "SUCCEEDED"

    def sync(self):
        """Polling: pending orders are posted to an external system, which refuses one of them for a while"""
        good, bad = f"SYNC-{self.tag}-1", f"SYNC-{self.tag}-2"
        self.sink.post("/control", {"fail": [bad]})
        sent(f"to the external system: refuse order {bad} with 500")
        ids = {}
        for number in (bad, good):
            ids[number] = self.ask("POST", "/v1/orders", {"number": number, "facility": "DEMO", "patientRef": "demo-patient",
                                                          "items": [{"code": "CBC", "quantity": 1}]}, expect=201)["id"]

        def taken():
            return {e["order"]["number"]: e for e in self.sink.get("/orders").json["orders"]}
        wait_for("the good order at the external system", lambda: good in taken())
        assert bad not in taken()
        back(f"the external system has {good} (Idempotency-Key {taken()[good]['key']}), and refused {bad}")
        self.sink.post("/control", {"fail": []})
        sent("to the external system: refuse nothing")
        wait_for("the other order at the external system", lambda: bad in taken(), 60)
        order = wait_for("syncedAt", lambda: (o := self.http.get(f"/v1/orders/{ids[bad]}").json).get("syncedAt") and o)
        back(f"it has {bad} too; syncedAt {order['syncedAt']}")
        admin = self.stack.admin("queue-worker")
        state = json.dumps(admin.get("/health").json)
        at = state.find("sync")
        back(f"GET queue-worker /health: … {state[max(0, at - 40):at + 200]} …")
        assert at >= 0

    def raw(self):
        """A plain Kafka producer, which knows nothing of Gantry: its CloudEvent runs as a job, once"""
        event_id = f"evt-{self.tag}"
        headers = {"ce_specversion": "1.0", "ce_id": event_id, "ce_type": "gantry.echo", "ce_source": "/demo/kcat",
                   "content-type": "text/plain"}
        for times in ("", "   (the same event again)"):
            sent(f"kcat -P -t gantry.jobs.default {' '.join(f'-H {k}={v}' for k, v in headers.items())} <<< 'hello from kcat'{times}")
            self.kafka.produce("gantry.jobs.default", "hello from kcat", headers=headers)
        job = wait_for("the job", lambda: (a := self.http.get(f"/v1/jobs/{event_id}")).status == 200 and a.json)
        done = self.finished(event_id)
        assert done["state"] == "SUCCEEDED" and done["id"] == job["id"] and done["result"] == b64("hello from kcat")
        time.sleep(1)
        same = [j for j in self.http.get("/v1/jobs?type=gantry.echo&pageSize=1000").json["jobs"] if j.get("externalId") == event_id]
        back(f"jobs of that event: {len(same)}")
        assert len(same) == 1

    def outbox(self):
        """The outbox: an event written by psql reaches Kafka, also when Kafka was down at that moment"""
        for down in (False, True):
            key = f"key-{self.tag}-{'down' if down else 'up'}"
            if down:
                sent("stop Kafka")
                self.stack.stop_kafka()
            statement = f"SELECT gantry.publish('gantry.events.orders', '{key}', 'demo.happened', 'hello from psql'::bytea)"
            sent(f"{statement};      (psql)")
            back(f"committed as outbox message {self.sql.value(statement)}")
            if down:
                sent("start Kafka")
                self.stack.start_kafka()
            self.record("gantry.events.orders", "the event", lambda r, k=key: r.key == k, 90)

    def cost(self):
        """What it costs: time from enqueued to started on this idle system, and anonymous memory of each binary"""
        delays = []
        for _ in range(100):
            job_id = self.http.post("/v1/jobs", {"queue": "default", "type": "gantry.noop"}).json["id"]
            job = wait_for("its end", lambda j=job_id: (a := self.http.get(f"/v1/jobs/{j}").json)["state"] == "SUCCEEDED" and a)
            delays.append((instant(job["startTime"]) - instant(job["createTime"])).total_seconds() * 1000)
        delays.sort()
        print(f"     of 100 jobs, one after another: half started within {delays[49]:.1f} ms, 99 within {delays[98]:.1f} ms")
        for name in self.stack.names:
            pid = self.stack.processes[name].pid
            assert pid is not None, f"{name} does not run"
            mib = rss_anon_kib(pid) / 1024
            print(f"     {name:<14} {mib:6.1f} MiB   (RssAnon of process {pid})")
            assert mib < 30, f"{name} uses {mib:.1f} MiB"

    def run(self):
        steps = [self.order, self.job, self.later, self.dead, self.burst, self.hl7, self.cron, self.sync, self.raw,
                 self.outbox, self.cost]
        for number, step in enumerate(steps, 1):
            print(f"\n{BOLD}{number}. {step.__doc__}{END}", flush=True)
            try:
                step()
                print(f"   {GREEN}✓{END}", flush=True)
            except Exception as error:  # one step's failure must not hide the next ones
                self.failed.append(f"{number} ({step.__doc__.split(':')[0]})")
                print(f"   {RED}✗ {type(error).__name__}: {error}{END}", flush=True)
                self.http.close()
                self.sink.close()
        self.explore()
        if self.failed:
            print(f"\n{RED}These steps did not work: {'; '.join(self.failed)}.{END} Logs: {self.stack.run_dir / 'logs'}")
            return 1
        print(f"\n{GREEN}All {len(steps)} steps of the main job worked.{END}")
        return 0

    def explore(self):
        s = self.stack
        print(f"\n{BOLD}To explore{END} (. {s.run_dir / 'gantry.env'} sets these in your shell)")
        print(f"     REST             http://{s.address('api-gateway.http')}/v1/jobs  /v1/orders  /v1/schedules  /v1/outbox/stats  /v1/hl7/messages  /health")
        print(f"     gRPC             {s.address('api-gateway.grpc')}")
        print(f"     MLLP             {s.address('mllp-listener.mllp')}")
        print(f"     Kafka            {s.brokers}      kcat -b {s.brokers} -L")
        print('     PostgreSQL       psql "$GANTRY_DATABASE_URL"')
        print(f"     external system  http://{s.address('sink')}/orders")
        for name in s.names:
            print(f"     {name:<16} http://{s.address(name + '.admin')}/health  /metrics      log {s.processes[name].log}")


if __name__ == "__main__":
    sys.exit(Demo(sys.argv[1]).run())
