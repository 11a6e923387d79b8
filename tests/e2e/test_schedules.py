"""Schedules with two scheduler replicas: one job a fire."""
import time
from datetime import datetime, timezone

from harness import wait_for


def fires(gantry, name):
    answer = gantry.http.get(f"/v1/schedules/{name}/fires?pageSize=1000")
    assert answer.status == 200, answer
    return [fire for fire in answer.json["fires"] if fire["outcome"] == "FIRED"]


def test_two_replicas_make_exactly_one_job_a_fire(gantry):
    assert {"scheduler", "scheduler-2"} <= set(gantry.stack.names)
    before = len(fires(gantry, "demo-tick"))
    seen = wait_for("three more fires", lambda: (f := fires(gantry, "demo-tick")) and len(f) >= before + 3 and f, 20)
    times = [fire["fireTime"] for fire in seen]
    jobs = [fire["jobId"] for fire in seen]
    assert len(set(times)) == len(times) and len(set(jobs)) == len(jobs)
    for job_id in jobs[:5]:
        assert gantry.finished(job_id)["state"] == "SUCCEEDED"
    instants = [datetime.fromisoformat(t.replace("Z", "+00:00")) for t in times]
    gaps = {(a - b).total_seconds() for a, b in zip(instants, instants[1:])}
    assert gaps <= {3.0}, f"every interval has its fire: {gaps}"
    # Counted independently: nothing else puts jobs of this type into this queue.
    listed = gantry.http.get("/v1/jobs?queue=reports&type=gantry.noop&pageSize=1000").json["jobs"]
    made = {fire["jobId"] for fire in fires(gantry, "demo-tick")}
    assert {job["id"] for job in listed} <= made and len(listed) >= len(jobs)


def test_the_daily_report_is_built_in_at_two_utc(gantry):
    schedule = gantry.http.get("/v1/schedules/daily-report").json
    assert schedule["queue"] == "reports" and schedule["type"] == "reports.daily"
    next_fire = datetime.fromisoformat(schedule["nextFireTime"].replace("Z", "+00:00"))
    assert (next_fire.hour, next_fire.minute, next_fire.second) == (2, 0, 0)
    assert 0 < (next_fire - datetime.now(timezone.utc)).total_seconds() <= 24 * 3600
    names = [s["name"] for s in gantry.http.get("/v1/schedules").json["schedules"]]
    assert {"daily-report", "demo-tick"} <= set(names) and names == sorted(names)


def test_a_specification_is_previewed(gantry):
    answer = gantry.http.post("/v1/schedules:preview", {
        "spec": "30 2 * * *", "timeZone": "America/New_York", "count": 2, "after": "2024-03-09T17:00:00Z"})
    assert answer.status == 200, answer
    times = [t.get("fireTime", t.get("time")) if isinstance(t, dict) else t
             for t in answer.json.get("fireTimes") or answer.json.get("fires")]
    assert [datetime.fromisoformat(t.replace("Z", "+00:00")) for t in times] == [
        datetime(2024, 3, 10, 7, 0, tzinfo=timezone.utc), datetime(2024, 3, 11, 6, 30, tzinfo=timezone.utc)]
    assert answer.json["description"]


def test_a_fire_is_not_far_behind_its_time(gantry):
    time.sleep(0.2)
    latest = fires(gantry, "demo-tick")[0]
    due = datetime.fromisoformat(latest["fireTime"].replace("Z", "+00:00"))
    made = datetime.fromisoformat(latest["createTime"].replace("Z", "+00:00"))
    assert 0 <= (made - due).total_seconds() < 1.5
