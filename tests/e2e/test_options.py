"""Bad options end a service before it starts anything, and all of them are named."""
import os
import subprocess

import pytest

from harness import ROOT, SERVICES, Http, Process, free_ports, wait_for

BIN = os.path.join(os.environ.get("GANTRY_BUILD_DIR", str(ROOT / "build" / "release")), "bin")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("GANTRY_")}

# What is wrong for each service beside what is wrong for all: {setting: bad value}
BAD = {
    "api-gateway": {"http.listen": "nowhere", "backends.queue_worker": ""},
    "queue-worker": {"worker.concurrency": "0", "orders.sync.interval": "often"},
    "outbox-relay": {"postgres.pool_size": "-3", "grpc.listen": "127.0.0.1:99999"},
    "scheduler": {"postgres.pool_size": "zero", "grpc.listen": "x:y"},
    "mllp-listener": {"mllp.listen": "2575:2575:2575", "postgres.pool_size": "none"},
}


def run(service, *flags, **environment):
    return subprocess.run([os.path.join(BIN, service), *flags], env={**ENVIRONMENT, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=20, check=False)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_refuses_bad_options_naming_all(service):
    bad = {"log.level": "loud", "admin.listen": "127.0.0.1:notaport", **BAD[service]}
    flags = [f"--{key}={value}" for key, value in bad.items()]
    ended = run(service, *flags, "--nonsense.key=1", GANTRY__HOST__STOP_TIMEOUT="forever")
    output = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 78, output
    for key in [*bad, "nonsense.key", "host.stop_timeout"]:
        assert key in output, f"{key} is not named in:\n{output}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_explains_its_options(service):
    ended = run(service, "--help")
    assert ended.returncode == 0
    for key in ("log.level", "admin.listen", "host.stop_timeout"):
        assert key in ended.stdout.decode()


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "api-gateway"])
def test_a_secret_is_never_printed(service):
    ended = run(service, "--print-config", GANTRY__POSTGRES__URL="postgresql://u:HUSHHUSH@127.0.0.1:1/x",
                **({"GANTRY__KAFKA__BROKERS": "127.0.0.1:1"} if service in ("queue-worker", "outbox-relay") else {}))
    assert ended.returncode == 0, ended
    assert b"HUSHHUSH" not in ended.stdout + ended.stderr and b"postgres.url" in ended.stdout.replace(b"postgres:", b"postgres.url")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_its_dependencies_stays_up_unready_and_stops_cleanly(service, tmp_path):
    admin, *ports = free_ports(4)
    environment = {**ENVIRONMENT, "GANTRY__ADMIN__LISTEN": f"127.0.0.1:{admin}", "GANTRY__GRPC__LISTEN": f"127.0.0.1:{ports[0]}"}
    if service == "api-gateway":
        environment["GANTRY__HTTP__LISTEN"] = f"127.0.0.1:{ports[1]}"
        for backend in ("QUEUE_WORKER", "OUTBOX_RELAY", "SCHEDULER", "MLLP_LISTENER"):
            environment[f"GANTRY__BACKENDS__{backend}"] = "127.0.0.1:1"
    else:
        environment["GANTRY__POSTGRES__URL"] = "postgresql://u:p@127.0.0.1:1/x"
    if service in ("queue-worker", "outbox-relay"):
        environment["GANTRY__KAFKA__BROKERS"] = "127.0.0.1:1"
    if service == "mllp-listener":
        environment["GANTRY__MLLP__LISTEN"] = f"127.0.0.1:{ports[2]}"
    process = Process(tmp_path, service)
    process.start([os.path.join(BIN, service)], environment)
    try:
        http = Http(f"http://127.0.0.1:{admin}", timeout=2)

        def status(path):
            try:
                return http.get(path).status
            except OSError:
                assert process.pid is not None, process.tail()
                return None
        wait_for("/livez 200", lambda: status("/livez") == 200, 10)
        wait_for("/readyz 503", lambda: status("/readyz") == 503, 10)
        assert process.pid is not None
        http.close()
    finally:
        assert process.stop(20) == 0, process.tail()
