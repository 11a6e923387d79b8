#!/usr/bin/env python3
"""check-paths.py FILE…: every path of the repository that these pages name exists.

A path is what stands in backticks or as a link's target and begins with a folder or file of the root.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"`([^`\n]+)`|\]\(([^)#\s]+)")


def named_paths(page):
    roots = {path.name for path in ROOT.iterdir()} - {".git", "build", ".run"}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for code, link in TOKEN.findall(line):
            if link and not link.startswith(("http:", "https:", "mailto:")):
                yield number, link, (page.parent / link).resolve()
            elif code and re.fullmatch(r"[\w./{},*+-]+", code) and "/" in code and code.split("/")[0] in roots:
                for path in expand(code.rstrip("/")):
                    yield number, path, ROOT / path


def expand(path):
    """`a/b.{hpp,cpp}` names two files."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    return [p for part in match[1].split(",") for p in expand(path[:match.start()] + part + path[match.end():])]


def main():
    missing = seen = 0
    for name in sys.argv[1:]:
        page = ROOT / name
        for line, path, target in named_paths(page):
            seen += 1
            if "*" in path:
                there = any(ROOT.glob(path))
            else:
                there = target.exists()
            if not there:
                missing += 1
                print(f"{name}:{line}: there is no {path}", file=sys.stderr)
    if not seen:
        print("no path was found to check", file=sys.stderr)
    return 1 if missing or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
