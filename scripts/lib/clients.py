"""Small clients of everything that Gantry speaks: HTTP, MLLP, Kafka (through kcat), SQL (through psql).

Only Python's standard library, so that the demo and the end-to-end tests run on any Debian.
"""
import base64
import http.client
import json
import select
import socket
import subprocess
import time
import urllib.parse
from dataclasses import dataclass, field

KCAT_TIMEOUT = 60


@dataclass
class Answer:
    """What an HTTP server said."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"Answer({self.status}, {self.text[:500]!r})"


class Http:
    """One server; a keep-alive connection, opened again when it broke before an answer was lost."""

    def __init__(self, base, timeout=10.0):
        self.base = base
        parts = urllib.parse.urlsplit(base)
        self.address = (parts.hostname, parts.port)
        self.timeout = timeout
        self.connection = None

    def call(self, method, path, body=None, headers=None):
        """Sends `body` (bytes as they are, anything else as JSON). Raises OSError when there is no answer."""
        sent = {"Accept": "application/json"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        try:
            sock = self.connection.sock if self.connection is not None else None
            if sock is None or select.select([sock], [], [], 0)[0]:
                self.close()  # An idle connection that became readable has been closed by the server.
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
            try:
                self.connection.request(method, path, body=body, headers=sent)
                answer = self.connection.getresponse()
            except http.client.RemoteDisconnected:
                # The server closed an idle connection; nothing of this request was read.
                self.close()
                if fresh:
                    raise
                return self.call(method, path, body, headers)
            data = answer.read()
            lowered = {name.lower(): value for name, value in answer.getheaders()}
            if lowered.get("connection", "").lower() == "close":
                self.close()
            return Answer(answer.status, lowered, data)
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        except OSError:
            self.close()
            raise

    def get(self, path, **headers):
        return self.call("GET", path, headers=headers)

    def post(self, path, body=None, **headers):
        return self.call("POST", path, body if body is not None else {}, headers)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Mllp:
    """One MLLP connection."""

    def __init__(self, address, timeout=10.0):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.buffer = b""

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, message):
        """Sends one message in its frame and waits for the answer. ConnectionError if none came."""
        self.send_raw(b"\x0b" + message + b"\x1c\x0d")
        return self.receive()

    def receive(self):
        while b"\x1c\x0d" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise ConnectionError("closed without an answer")
            self.buffer += chunk
        frame, self.buffer = self.buffer.split(b"\x1c\x0d", 1)
        return frame.lstrip(b"\x0b")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def orm(control_id, order, facility="NORTH", patient="PAT-1", codes=("CBC",), sender="EHR", version="2.5"):
    """An HL7 ORM^O01 as bytes."""
    lines = [
        f"MSH|^~\\&|{sender}|{facility}|GANTRY|LAB|20260115101530||ORM^O01|{control_id}|P|{version}",
        f"PID|1||{patient}^^^{facility}^MR||DOE^JANE||19700101|F",
    ]
    for number, code in enumerate(codes, 1):
        lines.append(f"ORC|NW|{order}^EHR|||||^^^20260115101530||20260115101530")
        lines.append(f"OBR|{number}|{order}^EHR||{code}^{code} TEST^L")
    return ("\r".join(lines) + "\r").encode()


def segment(message, name):
    """The fields of the first segment of that name of an HL7 message; field 1 is at index 1 (also of MSH)."""
    for line in message.decode("utf-8", "replace").split("\r"):
        if line.startswith(name + "|"):
            fields = line.split("|")
            return [fields[0], "|", *fields[1:]] if name == "MSH" else fields
    return []


@dataclass
class Record:
    """One Kafka record."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    headers: dict = field(default_factory=dict)

    @property
    def json(self):
        return json.loads(self.value)


class Kafka:
    """A plain producer and consumer that know nothing of Gantry."""

    def __init__(self, brokers):
        self.brokers = brokers

    def read(self, topic, offset="beginning"):
        """Every record of the topic that committed, in partition order; empty if there is no such topic."""
        if topic not in self.topics():
            return []
        run = subprocess.run(
            ["kcat", "-b", self.brokers, "-C", "-t", topic, "-o", str(offset), "-e", "-J", "-q",
             "-X", "fetch.wait.max.ms=10"],
            capture_output=True, timeout=KCAT_TIMEOUT, check=True)
        records = []
        for line in run.stdout.decode("utf-8", "replace").splitlines():
            item = json.loads(line, strict=False)
            pairs = item.get("headers") or []
            records.append(Record(item["topic"], item["partition"], item["offset"], item.get("key"),
                                  item.get("payload"), dict(zip(pairs[::2], pairs[1::2]))))
        return records

    def topics(self):
        run = subprocess.run(["kcat", "-b", self.brokers, "-L", "-J"], capture_output=True,
                             timeout=KCAT_TIMEOUT, check=True)
        return {topic["topic"] for topic in json.loads(run.stdout)["topics"]}

    def produce(self, topic, value, key=None, headers=None):
        """Produces one record and returns once the broker has it."""
        command = ["kcat", "-b", self.brokers, "-P", "-t", topic, "-X", "acks=all", "-D", "\x1e"]
        if key is not None:
            command += ["-k", key]
        for name, content in (headers or {}).items():
            command += ["-H", f"{name}={content}"]
        subprocess.run(command, input=value if isinstance(value, bytes) else value.encode(),
                       capture_output=True, timeout=KCAT_TIMEOUT, check=True)


class Sql:
    """psql on one database."""

    def __init__(self, url):
        self.url = url

    def rows(self, query, timeout=60):
        """The rows as lists of texts. Raises RuntimeError with the server's words."""
        run = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-F", "\x1f", self.url],
                             input=query.encode(), capture_output=True, timeout=timeout, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr.decode("utf-8", "replace").strip())
        return [line.split("\x1f") for line in run.stdout.decode("utf-8", "replace").splitlines()]

    def value(self, query):
        rows = self.rows(query)
        return rows[0][0] if rows else None


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def wait_for(what, condition, limit=30.0, every=0.05):
    """Polls until the condition returns something true, and returns that. AssertionError at the limit."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: did not happen within {limit:g} s")
        time.sleep(every)
