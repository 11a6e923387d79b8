"""How long a job waits for a thread on an idle system, through HTTP, PostgreSQL, the relay and Kafka.

    scripts/up && python3 tests/bench/latency/enqueue_to_start.py [--jobs 500] [--pause 0.05]

Jobs are enqueued one at a time with a pause between them, so that each finds the system idle. Times are
PostgreSQL's: from the job's insert to its start as queue-worker wrote it. Uses the instance of .run.
"""
import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

from clients import Http, Sql  # noqa: E402
from stack import Stack, rss_anon_kib  # noqa: E402


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(name, values):
    print(f"| {name} | {percentile(values, 0.5):.1f} | {percentile(values, 0.9):.1f} | {percentile(values, 0.99):.1f}"
          f" | {max(values):.1f} |")


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--jobs", type=int, default=500)
    flags.add_argument("--pause", type=float, default=0.05, help="seconds between two jobs")
    flags.add_argument("--run-dir", default=str(ROOT / ".run"))
    flags = flags.parse_args()
    stack = Stack(flags.run_dir)
    http = Http("http://" + stack.address("api-gateway.http"))
    sql = Sql(stack.database_url)

    accepted, ids = [], []
    for _ in range(flags.jobs):
        began = time.monotonic()
        answer = http.post("/v1/jobs", {"queue": "default", "type": "gantry.noop"})
        accepted.append((time.monotonic() - began) * 1000)
        assert answer.status == 202, answer
        ids.append(answer.json["id"])
        time.sleep(flags.pause)
    listed = ",".join(f"'{one}'" for one in ids)
    limit = time.monotonic() + 30
    while sql.value(f"SELECT count(*) FROM gantry.job WHERE id IN ({listed}) AND state = 'succeeded'") != str(flags.jobs):
        assert time.monotonic() < limit, "not every job succeeded"
        time.sleep(0.1)
    waits = sql.value("SELECT string_agg((extract(epoch FROM started_at - created_at) * 1000)::text, ' ')"
                       f" FROM gantry.job WHERE id IN ({listed})")

    print(f"{flags.jobs} jobs, one every {flags.pause * 1000:g} ms, {stack.kafka_kind} broker, {stack.mode} mode\n")
    print("| ms | p50 | p90 | p99 | max |\n|---|---|---|---|---|")
    row("POST /v1/jobs → 202", accepted)
    row("enqueue → start", [float(one) for one in waits.split()])
    sizes = ", ".join(f"{name} {rss_anon_kib(process.pid) / 1024:.1f}"
                      for name, process in stack.processes.items() if process.pid and "kafka" not in name and name != "sink")
    print(f"\nanonymous RSS in MiB afterwards: {sizes}")


if __name__ == "__main__":
    main()
