"""The built binaries as processes, and clients for all they speak.

Everything is in scripts/lib/stack.py and scripts/lib/clients.py, which scripts/up and scripts/demo use too.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))

from clients import Answer, Http, Kafka, Mllp, Record, Sql, b64, orm, segment, wait_for  # noqa: E402,F401
from free_port import free_ports  # noqa: E402,F401
from stack import ROOT, SERVERS, SERVICES, Failure, Process, Stack, rss_anon_kib, say, start_time  # noqa: E402,F401
