"""What scripts/up and scripts/down do once everything is installed and built."""
import argparse
import os
import sys

from stack import Failure, Stack, say


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("run_dir")
    parser.add_argument("--kafka", choices=["apache", "embedded"])
    parser.add_argument("--mode", choices=["wal", "polling"])
    parser.add_argument("--schedulers", type=int)
    flags = parser.parse_args()
    try:
        # The external order system is told of new orders every few seconds instead of every 5 minutes.
        stack = Stack(flags.run_dir, kafka=flags.kafka, mode=flags.mode, schedulers=flags.schedulers,
                      settings={"queue-worker": {"orders.sync.interval": "3s"}})
        if flags.action == "down":
            stack.down()
            say("stopped")
            return 0
        stack.up()
        addresses = stack.write_env()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    print()
    for name, value in addresses.items():
        if not name.endswith("_PID"):
            print(f"  {name:<28} {'(in gantry.env)' if name == 'GANTRY_DATABASE_URL' else value}")
    file = os.path.relpath(stack.run_dir / "gantry.env")
    if file.startswith(".."):
        file = stack.run_dir / "gantry.env"
    print(f"\nGantry is up. In your shell:  . {file}"
          "\nthen, for example:            curl -s \"$GANTRY_HTTP/v1/jobs\" -H 'Content-Type: application/json'"
          " -d '{\"queue\":\"default\",\"type\":\"gantry.echo\",\"payload\":\"aGVsbG8=\"}'"
          f"\nto look inside:                {os.path.relpath(stack.build / 'bin' / 'gantryctl')} outbox stats")
    return 0


if __name__ == "__main__":
    sys.exit(main())
