#!/usr/bin/env python3
"""Holds every #include of libs/ and services/ to cmake/layers.txt."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def layers():
    """{library: (libraries it may include, third-party prefixes it may not)}"""
    result = {}
    for line in (ROOT / "cmake" / "layers.txt").read_text().splitlines():
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, rest = line.split(":", 1)
        allowed, _, refused = rest.partition("|")
        result[name.strip()] = (set(allowed.split()), refused.replace(" no ", " ").split())
    return result


def sources(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".hpp", ".cpp", ".h"))


def library_faults(name, allowed, refused):
    for path in sources(ROOT / "libs" / name):
        in_tests = "tests" in path.relative_to(ROOT / "libs" / name).parts
        for include in INCLUDE.findall(path.read_text()):
            parts = include.split("/")
            if parts[0] == "gantry" and len(parts) > 2 and (ROOT / "libs" / parts[1]).is_dir():
                if parts[1] != name and parts[1] not in allowed and not in_tests:
                    yield f"{path.relative_to(ROOT)}: {name} may not include {include}"
            elif not in_tests and any(include.startswith(prefix) for prefix in refused):
                yield f"{path.relative_to(ROOT)}: {name} may not use {include}"


def service_faults(name):
    """A service meets another only at protos and SQL functions."""
    others = [other.name for other in (ROOT / "services").iterdir() if other.is_dir() and other.name != name]
    for path in sources(ROOT / "services" / name):
        for include in INCLUDE.findall(path.read_text()):
            if any(f"{other}/" in include for other in others) and not include.startswith("gantry/"):
                yield f"{path.relative_to(ROOT)}: services may not include each other: {include}"
            elif ".." in include.split("/"):
                yield f"{path.relative_to(ROOT)}: include from the folder's root, not {include}"


def main():
    rules = layers()
    faults = []
    for folder in sorted(path.name for path in (ROOT / "libs").iterdir() if path.is_dir()):
        if folder not in rules:
            faults.append(f"libs/{folder} is not in cmake/layers.txt")
            continue
        faults += library_faults(folder, *rules[folder])
    for folder in sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir()):
        faults += service_faults(folder)
    print("\n".join(faults), file=sys.stderr) if faults else None
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
