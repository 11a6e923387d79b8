"""What the hosting library costs: the example service, an idle service with gRPC, and Gantry's five.

    scripts/bench hosting [--starts N] [--idle SECONDS] [--bare]

The five need PostgreSQL and Kafka: a private pair is started and is gone at the end. --bare leaves them out.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

from free_port import free_ports  # noqa: E402
from stack import SERVICES, Stack  # noqa: E402

BUILD = Path(os.environ.get("GANTRY_BUILD_DIR") or ROOT / "build" / "release")


def binary(name):
    """The bench binary or example of this name, wherever the build put it."""
    return str(next(path for path in BUILD.glob(f"tests/**/{name}") if path.is_file()))


def measure(flags, name, port, command, environment):
    subprocess.run([binary("bench_process"), "--name", name, "--admin", str(port), "--starts", str(flags.starts),
                    "--idle", str(flags.idle), "--", *command], env=environment, check=True)


def bare(flags, folder):
    admin, grpc = free_ports(2)
    address = f"--admin.listen=127.0.0.1:{admin}"
    measure(flags, "`drop-watch`, the guide's example", admin,
            [binary("drop-watch"), address, f"--watch.folder={folder}"], os.environ)
    measure(flags, "idle, with gRPC", admin,
            [binary("bench_idle_service"), address, f"--grpc.listen=127.0.0.1:{grpc}"], os.environ)


def services(flags, folder):
    stack = Stack(folder, build=BUILD)
    try:
        stack.up()
        for name in SERVICES:
            stack.processes[name].stop()
            measure(flags, f"`{name}`", stack.ports[f"{name}.admin"], [stack.binary(name)],
                    stack.environment_of(stack.settings_of(name)))
            stack.start(name)
            stack.wait_ready(name)
    finally:
        stack.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--idle", type=int, default=10)
    parser.add_argument("--bare", action="store_true")
    flags = parser.parse_args()
    print("| Process | ready, ms: median (worst) | anonymous MiB, ready | after 200 scrapes | idle CPU, ms/s "
          "| stop, ms: median (worst) |\n|---|---|---|---|---|---|", flush=True)
    folder = tempfile.mkdtemp(prefix="gantry-bench.")
    os.chmod(folder, 0o755)
    try:
        bare(flags, folder)
        if not flags.bare:
            services(flags, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
