"""CloudEvents of a plain Kafka producer become jobs."""
import json

from conftest import unique
from harness import b64, wait_for

TOPIC = "gantry.jobs.default"


def headers(event_id, type="gantry.echo", source="/e2e/kcat"):
    return {"ce_specversion": "1.0", "ce_id": event_id, "ce_type": type, "ce_source": source,
            "ce_time": "2026-01-15T10:15:30Z", "content-type": "text/plain"}


def job_of(gantry, event_id):
    def look():
        answer = gantry.http.get(f"/v1/jobs/{event_id}")
        return answer.json if answer.status == 200 else None
    return wait_for(f"job of event {event_id}", look)


def test_an_event_runs_as_a_job_and_is_found_by_its_id(gantry):
    event_id = unique("evt")
    gantry.kafka.produce(TOPIC, "hello from kcat", key="k1", headers=headers(event_id))
    job = gantry.finished(job_of(gantry, event_id)["id"])
    assert job["state"] == "SUCCEEDED"
    assert job["result"] == b64("hello from kcat")
    assert (job["externalId"], job["externalSource"]) == (event_id, "/e2e/kcat")
    assert job["contentType"] == "text/plain"


def test_the_same_event_twice_runs_once(gantry):
    event_id = unique("evt")
    for _ in range(2):
        gantry.kafka.produce(TOPIC, "twice", headers=headers(event_id))
    job = gantry.finished(job_of(gantry, event_id)["id"])
    assert job["state"] == "SUCCEEDED" and job["attempt"] == 1
    # A later event is done, so the second copy has been looked at.
    marker = unique("evt")
    for _ in range(4):
        gantry.kafka.produce(TOPIC, "later", headers=headers(marker))
    gantry.finished(job_of(gantry, marker)["id"])
    listed = gantry.http.get("/v1/jobs?type=gantry.echo&pageSize=1000").json["jobs"]
    assert len([j for j in listed if j.get("externalId") == event_id]) == 1


def test_one_id_of_two_sources_is_refused_by_name(gantry):
    event_id = unique("evt")
    gantry.kafka.produce(TOPIC, "a", headers=headers(event_id, source="/e2e/a"))
    job_of(gantry, event_id)
    gantry.kafka.produce(TOPIC, "b", headers=headers(event_id, source="/e2e/b"))
    answer = wait_for("the refusal", lambda: (a := gantry.http.get(f"/v1/jobs/{event_id}")).status != 200 and a)
    assert 400 <= answer.status < 500 and "/e2e/a" in answer.text and "/e2e/b" in answer.text


def test_a_record_without_attributes_is_a_dead_letter(gantry):
    marker = unique("raw")
    gantry.kafka.produce(TOPIC, marker, key=marker)
    records = wait_for("dead letter", lambda: [r for r in gantry.kafka.read("gantry.dead.jobs")
                                               if marker in (r.key or "") + (r.value or "") + json.dumps(r.headers)
                                               or b64(marker) in (r.value or "")])
    assert len(records) == 1 and TOPIC in (records[0].value or "") + json.dumps(records[0].headers)
    # The topic goes on.
    event_id = unique("evt")
    gantry.kafka.produce(TOPIC, "after", key=marker, headers=headers(event_id))
    assert gantry.finished(job_of(gantry, event_id)["id"])["state"] == "SUCCEEDED"
