"""Gantry's processes on one machine: a private PostgreSQL, a Kafka and the services, at fixed loopback ports.

`Stack` is what scripts/up, scripts/down and the end-to-end tests share. What it decided (ports, kind of
broker, mode) is in RUN_DIR/stack.json, so that a service that was killed comes back at its own address.
"""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from clients import Http, Sql
from free_port import free_ports

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "scripts" / "lib"
# In the order in which they start; they stop in reverse.
SERVICES = ("queue-worker", "outbox-relay", "mllp-listener", "scheduler", "api-gateway")
# What each listens on, beside its admin port.
SERVERS = {
    "queue-worker": ("grpc",), "outbox-relay": ("grpc",), "mllp-listener": ("mllp", "grpc"),
    "scheduler": ("grpc",), "scheduler-2": ("grpc",), "api-gateway": ("http", "grpc"),
}
READY_LIMIT = 60
# The topics that outbox-relay declares. The embedded broker cannot create them by request, so it is given them.
TOPICS = [f"gantry.{name}" for name in (
    "jobs.default", "jobs.orders", "jobs.reports", "dead.jobs", "events.orders",
    *("hl7." + code for code in ("ack", "adt", "bar", "dft", "mdm", "mfn", "oml", "omp", "orl", "orm", "oru", "orr",
                                 "rde", "siu", "vxu", "other")))]


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


class Failure(Exception):
    """Something that should run does not; the text says what and where to look."""


def start_time(pid):
    """When a process started, in ticks since boot: with its id this names a process for good. None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def rss_anon_kib(pid):
    """Anonymous resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


class Process:
    """A program that runs in its own session, known by a file with its id and start time."""

    def __init__(self, run_dir, name):
        self.name = name
        self.file = run_dir / "pids" / name
        self.log = run_dir / "logs" / f"{name}.log"
        self.child = None

    @property
    def pid(self):
        """Its id, or None when it does not run."""
        if self.child is not None and self.child.poll() is not None:
            return None
        try:
            pid, started = map(int, self.file.read_text().split())
        except (OSError, ValueError):
            return None
        return pid if start_time(pid) == started else None

    def start(self, command, environment):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=environment, cwd="/", start_new_session=True)
        self.file.write_text(f"{self.child.pid} {start_time(self.child.pid) or 0}")

    def signal(self, number):
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def wait_gone(self, limit):
        """True once it is gone; its exit code is then in `child.returncode` if we started it."""
        end = time.monotonic() + limit
        while self.pid is not None:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        if self.child is not None:
            self.child.wait()
        return True

    def stop(self, limit=40.0):
        """SIGTERM, and SIGKILL when the limit passes. Returns the exit code if it was our child."""
        self.signal(signal.SIGTERM)
        if not self.wait_gone(limit):
            say(f"{self.name} did not stop within {limit:g} s; killing it")
            self.kill()
        return self.child.returncode if self.child is not None else None

    def kill(self):
        """kill -9, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait_gone(10)

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Stack:
    """All of it. Nothing starts before it is told to."""

    def __init__(self, run_dir, *, kafka=None, mode=None, schedulers=None, settings=None, build=None):
        self.run_dir = Path(run_dir).resolve()
        self.file = self.run_dir / "stack.json"
        self.build = Path(build or os.environ.get("GANTRY_BUILD_DIR") or ROOT / "build" / "release")
        # Settings beyond the usual, by service: {"queue-worker": {"orders.sync.interval": "1s"}}.
        self.settings = settings or {}
        state = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.was_made = bool(state)
        if state and kafka and kafka != state["kafka"]:
            raise Failure(f"this instance runs on the {state['kafka']} broker; scripts/down first to change that")
        self.kafka_kind = kafka or state.get("kafka", "apache")
        self.mode = mode or state.get("mode", "wal")
        self.schedulers = schedulers or state.get("schedulers", 1)
        self.ports = state.get("ports") or self._choose_ports()
        names = [*SERVICES, "scheduler-2", "sink", "kafka-embedded"]
        self.processes = {name: Process(self.run_dir, name) for name in names}

    def _choose_ports(self):
        names = ["postgres", "kafka", "sink"]
        for service, servers in SERVERS.items():
            names += [f"{service}.{server}" for server in ("admin", *servers)]
        return dict(zip(names, free_ports(len(names))))

    def save(self):
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(
            {"kafka": self.kafka_kind, "mode": self.mode, "schedulers": self.schedulers, "ports": self.ports}, indent=1))

    # Addresses

    def address(self, server):
        return f"127.0.0.1:{self.ports[server]}"

    @property
    def brokers(self):
        return self.address("kafka")

    @property
    def database_url(self):
        return (self.run_dir / "postgres" / "url").read_text().strip()

    def admin(self, service):
        return Http("http://" + self.address(f"{service}.admin"))

    @property
    def names(self):
        """The services of this instance, in starting order."""
        names = list(SERVICES)
        if self.schedulers > 1:
            names.insert(names.index("scheduler") + 1, "scheduler-2")
        return names

    # PostgreSQL and Kafka

    def _script(self, name, *arguments):
        run = subprocess.run([str(LIB / name), *map(str, arguments)], stdin=subprocess.DEVNULL, check=False)
        if run.returncode != 0:
            raise Failure(f"{name} {arguments[0]} failed; what it said is above")

    def start_postgres(self):
        self._script("postgres.sh", "start", self.run_dir / "postgres", self.ports["postgres"])

    def stop_postgres(self, mode="fast"):
        self._script("postgres.sh", "stop", self.run_dir / "postgres", mode)

    def start_kafka(self):
        if self.kafka_kind == "apache":
            self._script("kafka.sh", "start", self.run_dir / "kafka", self.ports["kafka"])
            return
        broker = self.processes["kafka-embedded"]
        if broker.pid is not None:
            return
        say(f"starting the embedded broker on {self.brokers} (in memory: it forgets everything when it ends)")
        broker.start([str(self.build / "bin" / "gantry-embedded-kafka"), "--port", str(self.ports["kafka"]),
                      *(flag for topic in TOPICS for flag in ("--topic", topic))],
                     self._clean_environment())
        end = time.monotonic() + 10
        while "127.0.0.1" not in broker.tail(1):
            if broker.pid is None or time.monotonic() > end:
                raise Failure(f"the embedded broker did not start: {broker.tail()}")
            time.sleep(0.02)

    def stop_kafka(self, kill=False):
        if self.kafka_kind == "apache":
            self._script("kafka.sh", "stop", self.run_dir / "kafka", "KILL" if kill else "TERM")
        else:
            self.processes["kafka-embedded"].stop(5)

    def migrate(self):
        say(f"migrating the database, relay mode {self.mode}")
        environment = self._clean_environment()
        environment["GANTRY__POSTGRES__URL"] = self.database_url
        for arguments in (["up"], ["set-mode", self.mode]):
            run = subprocess.run([str(self.build / "bin" / "gantry-migrate"), *arguments], env=environment, check=False,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if run.returncode != 0:
                raise Failure(f"gantry-migrate {' '.join(arguments)} exited {run.returncode}: {run.stdout.decode()}")

    # Services

    def settings_of(self, name):
        """The settings that this instance gives a service."""
        kind = "scheduler" if name == "scheduler-2" else name
        result = {"log.format": "json", "admin.listen": self.address(f"{name}.admin")}
        for server in SERVERS[name]:
            result[f"{server}.listen"] = self.address(f"{name}.{server}")
        if kind == "api-gateway":
            for backend in SERVICES:
                if backend != "api-gateway":
                    result["backends." + backend.replace("-", "_")] = self.address(f"{backend}.grpc")
        else:
            result["postgres.url"] = self.database_url
        if kind in ("queue-worker", "outbox-relay"):
            result["kafka.brokers"] = self.brokers
        if kind == "queue-worker":
            if self.kafka_kind == "embedded":
                # It answers a waiting fetch only at the wait's end, whatever was produced meanwhile.
                result["kafka.properties"] = "fetch.wait.max.ms=20"
            result["orders.sync.url"] = f"http://{self.address('sink')}/orders"
        if kind == "scheduler":
            result["scheduler.schedules_file"] = str(ROOT / "deploy" / "dev" / "schedules.yaml")
        result.update(self.settings.get(kind, {}))
        return result

    @staticmethod
    def _clean_environment():
        return {key: value for key, value in os.environ.items() if not key.startswith("GANTRY_")}

    def environment_of(self, settings):
        environment = self._clean_environment()
        for key, value in settings.items():
            environment["GANTRY__" + key.upper().replace(".", "__")] = value
        return environment

    def binary(self, name):
        return str(self.build / "bin" / ("scheduler" if name == "scheduler-2" else name))

    def start(self, name):
        """Starts a service, or the sink, if it does not run. True if it had to be started."""
        process = self.processes[name]
        if process.pid is not None:
            return False
        if name == "sink":
            process.start([sys.executable, str(ROOT / "tests" / "support" / "sink.py"), "--port",
                           str(self.ports["sink"])], self._clean_environment())
        else:
            if not Path(self.binary(name)).exists():
                raise Failure(f"there is no {self.binary(name)}: it has not been built")
            process.start([self.binary(name)], self.environment_of(self.settings_of(name)))
        return True

    def ready(self, name):
        try:
            http = self.admin(name)
            try:
                return http.get("/readyz").status == 200
            finally:
                http.close()
        except OSError:
            return False

    def wait_ready(self, name, limit=READY_LIMIT):
        """Seconds that it took."""
        started = time.monotonic()
        while not self.ready(name):
            if self.processes[name].pid is None:
                child = self.processes[name].child
                code = f" with {child.returncode}" if child is not None else ""
                raise Failure(f"{name} ended{code} before it was ready. The end of {self.processes[name].log}:\n"
                              f"{self.processes[name].tail()}")
            if time.monotonic() - started > limit:
                raise Failure(f"{name} was not ready within {limit:g} s. The end of {self.processes[name].log}:\n"
                              f"{self.processes[name].tail()}")
            time.sleep(0.01)
        return time.monotonic() - started

    def up(self):
        """Starts what does not run, in order, and waits until all of it is ready."""
        missing = [name for name in SERVICES if not Path(self.binary(name)).exists()]
        if missing:
            raise Failure(f"not built yet: {', '.join(missing)} (looked in {self.build / 'bin'})")
        self.save()
        self.start_postgres()
        self.start_kafka()
        self.migrate()
        self.start("sink")
        started = [name for name in self.names if self.start(name)]
        for name in self.names:
            seconds = self.wait_ready(name)
            if name in started:
                say(f"{name} is ready after {seconds * 1000:.0f} ms (process {self.processes[name].pid})")
            else:
                say(f"{name} runs already (process {self.processes[name].pid})")

    def down(self):
        """Stops only what `up` started; the data stay."""
        for name in reversed([*self.processes]):
            process = self.processes[name]
            if name != "kafka-embedded" and process.pid is not None:
                say(f"stopping {name} (process {process.pid})")
                process.stop()
        self.stop_kafka()
        self.stop_postgres()

    def write_env(self):
        """RUN_DIR/gantry.env, as shell assignments."""
        lines = {
            "GANTRY_HTTP": "http://" + self.address("api-gateway.http"),
            "GANTRY_GRPC": self.address("api-gateway.grpc"),
            "GANTRY_SERVER": self.address("api-gateway.grpc"),  # gantryctl's
            "GANTRY_MLLP": self.address("mllp-listener.mllp"),
            "GANTRY_KAFKA_BROKERS": self.brokers,
            "GANTRY_DATABASE_URL": self.database_url,
            "GANTRY_SINK": "http://" + self.address("sink"),
        }
        for name in self.names:
            variable = "GANTRY_" + name.upper().replace("-", "_")
            lines[variable + "_ADMIN"] = "http://" + self.address(f"{name}.admin")
            lines[variable + "_PID"] = str(self.processes[name].pid or "")
        file = self.run_dir / "gantry.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{key}='{value}'\n" for key, value in lines.items()))
        return lines

    def sql(self):
        return Sql(self.database_url)
