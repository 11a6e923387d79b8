"""Builds and runs test suites, and counts. A suite that cannot be built or started counts as failed.

Skipped tests never count as passed: they are printed, and in CI they count as failed.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from free_port import free_ports

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "scripts" / "lib"
# Seconds that the tests of a suite may take, builds apart. A suite over its budget is stopped and has failed.
BUDGETS = {"lint": 300, "unit": 300, "integration": 900, "e2e": 900, "sanitize": 900, "fuzz": 600}
# Of each failure's reason, at the end.
MOST_LINES = 12
IN_CI = os.environ.get("CI") == "true"


def say(text):
    print(text, flush=True)


class Tally:
    """What passed and what failed, with the failures' names and reasons for the end."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []

    def fail(self, name, why=""):
        self.failed += 1
        self.failures.append(name + "".join(f"\n      {line[:400]}" for line in why.splitlines()[:MOST_LINES]))


class Budget:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    @property
    def left(self):
        return max(1.0, self.end - time.monotonic())


def run(command, *, limit, env=None, cwd=ROOT):
    """(exit code, output). The whole process group ends at the limit, and then the code is -1."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env=env, cwd=cwd, start_new_session=True)
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            code = -1
        out.seek(0)
        return code, out.read().decode("utf-8", "replace")


def build(tally, suite, preset, *targets, args=""):
    env = {**os.environ, "GANTRY_CMAKE_ARGS": args}
    if subprocess.run([str(LIB / "build.sh"), preset, *targets], stdin=subprocess.DEVNULL, env=env,
                      check=False).returncode == 0:
        return True
    tally.fail(f"{suite}: the build of {preset}")
    return False


def ctests(preset, label):
    """The test programs of a build by ctest label: [(name, command, limit in seconds)]."""
    out = subprocess.run(["ctest", "--test-dir", str(ROOT / "build" / preset), "-L", f"^{label}$", "--show-only=json-v1"],
                         stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    tests = []
    for test in json.loads(out)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        tests.append((test["name"], test["command"], float(properties.get("TIMEOUT", 120))))
    return tests


def google_test(name, command, limit, env, folder):
    """(passed, failures with reasons, skipped, output) of one GoogleTest program."""
    report = folder / f"{name}.json"
    started = time.monotonic()
    code, output = run([*command, f"--gtest_output=json:{report}", "--gtest_color=no"], limit=limit, env=env)
    passed, failures, skipped = 0, [], []
    try:
        for suite in json.loads(report.read_text())["testsuites"]:
            for case in suite["testsuite"]:
                full = f"{name}: {suite['name']}.{case['name']}"
                if case.get("failures"):
                    failures.append((full, "\n".join(f["failure"] for f in case["failures"])))
                elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                    skipped.append(full)
                else:
                    passed += 1
    except (OSError, ValueError, KeyError):
        ending = f"took longer than {limit:g} s" if code == -1 else f"ended with {code} before its report"
        failures.append((f"{name}: {ending}", "\n".join(output.splitlines()[-MOST_LINES:])))
    if code != 0 and not failures:
        failures.append((f"{name}: exited {code} though no test failed", "\n".join(output.splitlines()[-MOST_LINES:])))
    say(f"  {name}: {passed} passed, {len(failures)} failed"
        f"{f', {len(skipped)} skipped' if skipped else ''} in {time.monotonic() - started:.1f} s")
    return passed, failures, skipped, output


def google_tests(tally, suite, preset, label, env, budget, at_once=2):
    tests = ctests(preset, label)
    if not tests:
        tally.fail(f"{suite}: no test was built")
        return
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        def one(test):
            name, command, limit = test
            return google_test(name, command, min(limit, budget.left), env, Path(folder))
        for passed, failures, skipped, output in pool.map(one, tests):
            tally.passed += passed
            for failure, why in failures:
                tally.fail(f"{suite}: {failure}", why)
            if failures:
                say(interesting(output))
            for name in skipped:
                say(f"  skipped: {name}")
                if IN_CI:
                    tally.fail(f"{suite}: {name} was skipped")


def interesting(output):
    """What a failed GoogleTest program said, without the tests that passed."""
    lines = [line for line in output.splitlines()
             if not line.startswith(("[ RUN ", "[       OK", "[-----", "[====", "[ DISABLED"))]
    return "\n".join("    " + line for line in lines[-120:])


class Servers:
    """One PostgreSQL and one Kafka for a suite, in a folder of their own; both are gone at the end."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-test."))
        self.folder.chmod(0o755)
        postgres, kafka = free_ports(2)
        try:
            self._script("postgres.sh", "start", self.folder / "postgres", postgres)
            self._script("kafka.sh", "start", self.folder / "kafka", kafka)
        except BaseException:
            self.__exit__()
            raise
        self.environment = {
            **os.environ,
            "GANTRY_TEST_DATABASE_URL": (self.folder / "postgres" / "url").read_text().strip(),
            "GANTRY_TEST_KAFKA_BROKERS": f"127.0.0.1:{kafka}",
        }
        return self

    def __exit__(self, *_):
        self._script("kafka.sh", "stop", self.folder / "kafka", check=False)
        self._script("postgres.sh", "destroy", self.folder / "postgres", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _script(name, *arguments, check=True):
        subprocess.run([str(LIB / name), *map(str, arguments)], stdin=subprocess.DEVNULL, check=check)


def lint(tally):
    code, output = run([str(ROOT / "scripts" / "lint")], limit=BUDGETS["lint"])
    say(output.rstrip())
    for line in output.splitlines():
        if line.startswith("  ok "):
            tally.passed += 1
        elif line.startswith("  FAIL "):
            tally.fail("lint: " + line.split(None, 1)[1])
    if code != 0 and not any(name.startswith("lint") for name in tally.failures):
        tally.fail("lint: it did not run to its end")


def unit(tally):
    if build(tally, "unit", "release", "gantry-unit-tests"):
        google_tests(tally, "unit", "release", "unit", dict(os.environ), Budget(BUDGETS["unit"]))


def integration(tally):
    if not build(tally, "integration", "release", "gantry-integration-tests"):
        return
    try:
        with Servers() as servers:
            # More than the cores, because these tests mostly wait.
            google_tests(tally, "integration", "release", "integration", servers.environment,
                         Budget(BUDGETS["integration"]), at_once=4)
    except subprocess.CalledProcessError:
        tally.fail("integration: PostgreSQL or Kafka did not start")


def e2e(tally):
    if not build(tally, "e2e", "release", "gantry-apps"):
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        child = subprocess.Popen(
            ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--color=no", "-rfEs", "--tb=short",
             "--show-capture=no", "-o", "junit_family=xunit1", f"--junitxml={report}", "tests/e2e"],
            stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True)
        try:
            code = child.wait(BUDGETS["e2e"])
        except subprocess.TimeoutExpired:
            # The first signal lets pytest stop its servers.
            child.send_signal(signal.SIGINT)
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            code = -1
            tally.fail(f"e2e: took longer than {BUDGETS['e2e']} s")
        failed = False
        if report.exists():
            for case in xml.etree.ElementTree.parse(report).iter("testcase"):
                name = f"e2e: {case.get('classname', '').split('.')[-1]}.{case.get('name')}"
                fault = next((f for f in (case.find("failure"), case.find("error")) if f is not None), None)
                if fault is not None:
                    tally.fail(name, fault.get("message", ""))
                    failed = True
                elif case.find("skipped") is not None:
                    say(f"  skipped: {name}")
                    if IN_CI:
                        tally.fail(f"{name} was skipped")
                else:
                    tally.passed += 1
        if code > 0 and not failed:
            tally.fail(f"e2e: pytest ended with {code}")


def sanitize(tally):
    # The libraries without gRPC and librdkafka: Debian's builds of those are not instrumented.
    for preset in ("asan", "tsan"):
        if build(tally, "sanitize", preset, "gantry-unit-tests", args="-DGANTRY_BUILD_SERVICES=OFF"):
            env = {**os.environ, "ASAN_OPTIONS": "detect_stack_use_after_return=1:abort_on_error=0",
                   "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
            google_tests(tally, f"sanitize ({preset})", preset, "unit", env, Budget(BUDGETS["sanitize"]))


def fuzz(tally):
    if not build(tally, "fuzz", "fuzz", "gantry-fuzz-tests"):
        return
    seconds = os.environ.get("GANTRY_FUZZ_SECONDS", "15")
    targets = sorted(p for p in (ROOT / "build" / "fuzz" / "tests" / "fuzz").rglob("fuzz_*")
                     if p.is_file() and os.access(p, os.X_OK))
    if not targets:
        tally.fail("fuzz: no target was built")

    def one(target):
        name = target.name.removeprefix("fuzz_")
        area = target.parent.name
        with tempfile.TemporaryDirectory() as found:
            seeds = [str(p) for p in (ROOT / "tests" / "fuzz" / area / "corpus" / name,
                                      ROOT / "tests" / "fuzz" / area / "corpus") if p.is_dir()][:1]
            artifacts = ROOT / "build" / "fuzz" / "artifacts"
            artifacts.mkdir(exist_ok=True)
            code, output = run([str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                                f"-artifact_prefix={artifacts}/{name}.", found, *seeds], limit=float(seconds) + 120)
        return name, code, output

    with ThreadPoolExecutor(2) as pool:
        for name, code, output in pool.map(one, targets):
            runs = [line for line in output.splitlines() if line.startswith("Done ")]
            if code == 0:
                tally.passed += 1
                say(f"  fuzz {name}: {runs[-1] if runs else 'done'}")
            else:
                tally.fail(f"fuzz: {name}; what broke it is in build/fuzz/artifacts")
                say("\n".join("    " + line for line in output.splitlines()[-40:]))


def absent(what):
    def suite(_):
        say(f"  there is no {what} yet, so nothing is checked here")
    return suite


SUITES = {"lint": lint, "unit": unit, "integration": integration, "e2e": e2e, "sanitize": sanitize, "fuzz": fuzz,
          "chart": absent("Helm chart"), "cluster": absent("chart to install on a cluster")}


def main():
    # A caller's Ctrl-C or CI's SIGTERM unwinds, so that servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    total = Tally()
    for name in sys.argv[1:]:
        say(f"\n==== {name}")
        tally, started = Tally(), time.monotonic()
        SUITES[name](tally)
        say(f"---- {name}: {tally.passed} passed, {tally.failed} failed in {time.monotonic() - started:.0f} s")
        total.passed += tally.passed
        total.failed += tally.failed
        total.failures += tally.failures
    if total.failures:
        say("\nwhat failed:")
        for name in total.failures:
            say(f"  {name}")
    say(f"\n{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed and set(sys.argv[1:]) - {"chart", "cluster"} else 0


if __name__ == "__main__":
    sys.exit(main())
