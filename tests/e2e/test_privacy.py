"""No personal health data in a log or metric, whatever the tests before sent through."""
from conftest import PATIENT

# The patient of every order and message, the patient's name in every message, and a job's payload.
NEEDLES = (PATIENT, "DOE^JANE", "SECRETPAYLOAD")


def test_no_log_names_the_patient(gantry):
    for name in gantry.stack.names:
        text = gantry.stack.processes[name].log.read_text(errors="replace")
        assert text, f"{name} logs nothing at all"
        for needle in NEEDLES:
            assert needle not in text, f"{name} logged {needle}"


def test_no_metric_or_health_page_does(gantry):
    for name in gantry.stack.names:
        admin = gantry.stack.admin(name)
        for path in ("/metrics", "/health"):
            text = admin.get(path).text
            for needle in NEEDLES:
                assert needle not in text, f"{name}{path} shows {needle}"
        admin.close()


def test_no_job_error_does(gantry):
    for job in gantry.http.get("/v1/jobs?pageSize=1000").json["jobs"]:
        assert not any(needle in job.get("error", "") for needle in NEEDLES)
