#!/usr/bin/env python3
"""The rules of Gantry's public API, held over a descriptor set that protoc makes of proto/gantry.

Packages are versioned and match their folder; names follow the style guide; the zero value of an enum is
*_UNSPECIFIED; every service, method, message, field, enum and value is documented; every method has its
REST mapping (google.api.http), request and response.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[2] / "proto"
HTTP_EXTENSION = 72295728
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PASCAL = re.compile(r"([A-Z][a-z0-9]*)+")
UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def descriptor_set(files):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"-I{ROOT}", "-I/usr/include", "--include_imports", "--include_source_info",
                        f"--descriptor_set_out={out.name}", *files], check=True)
        result = descriptor_pb2.FileDescriptorSet()
        result.ParseFromString(Path(out.name).read_bytes())
        return result


class Linter:
    def __init__(self, file):
        self.file = file
        self.faults = []
        self.comments = {tuple(location.path): location.leading_comments.strip()
                         for location in file.source_code_info.location}

    def fault(self, text):
        self.faults.append(f"proto/{self.file.name}: {text}")

    def check(self, path, name, pattern, what):
        if not self.comments.get(path):
            self.fault(f"{what} {name} has no comment")
        if not pattern.fullmatch(name):
            self.fault(f"{what} {name} does not match {pattern.pattern}")

    def run(self):
        folder = str(Path(self.file.name).parent).replace("/", ".")
        if self.file.package != folder:
            self.fault(f"package {self.file.package} should be {folder}")
        if not re.search(r"\.v[0-9]+$", self.file.package):
            self.fault(f"package {self.file.package} has no version")
        if not self.comments.get((2,)) and not self.comments.get((12,)):
            self.fault("no comment says what the file is for")
        for i, message in enumerate(self.file.message_type):
            self.message((4, i), message)
        for i, enum in enumerate(self.file.enum_type):
            self.enum((5, i), enum)
        for i, service in enumerate(self.file.service):
            self.service((6, i), service)
        return self.faults

    def message(self, path, message):
        if message.options.map_entry:
            return
        self.check(path, message.name, PASCAL, "message")
        for i, field in enumerate(message.field):
            self.check((*path, 2, i), field.name, SNAKE, f"field {message.name}.")
        for i, nested in enumerate(message.nested_type):
            self.message((*path, 3, i), nested)
        for i, enum in enumerate(message.enum_type):
            self.enum((*path, 4, i), enum)

    def enum(self, path, enum):
        self.check(path, enum.name, PASCAL, "enum")
        for i, value in enumerate(enum.value):
            self.check((*path, 2, i), value.name, UPPER, f"value {enum.name}.")
        if not enum.value[0].name.endswith("_UNSPECIFIED") or enum.value[0].number != 0:
            self.fault(f"enum {enum.name}: the zero value must be …_UNSPECIFIED")

    def service(self, path, service):
        self.check(path, service.name, PASCAL, "service")
        if not service.name.endswith("Service"):
            self.fault(f"service {service.name} should end with Service")
        for i, method in enumerate(service.method):
            self.check((*path, 2, i), method.name, PASCAL, f"method {service.name}.")
            tag = HTTP_EXTENSION << 3 | 2
            varint = b""
            while tag:
                varint += bytes([tag & 0x7F | (0x80 if tag > 0x7F else 0)])
                tag >>= 7
            if varint not in method.options.SerializeToString():
                self.fault(f"method {service.name}.{method.name} has no google.api.http")
            if not method.input_type.endswith("Request"):
                self.fault(f"method {service.name}.{method.name} should take a …Request")


def main():
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "gantry").rglob("*.proto"))
    faults = []
    for file in descriptor_set(files).file:
        if file.name.startswith("gantry/"):
            faults += Linter(file).run()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
