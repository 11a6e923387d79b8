"""Events written by SQL reach Kafka, in order, when and only when their transaction commits."""
from conftest import unique
from harness import wait_for

TOPIC = "gantry.events.orders"


def publish(key, payload, headers="{}"):
    return (f"SELECT gantry.publish('{TOPIC}', '{key}', 'e2e.tested', '{payload}'::bytea, '{headers}'::jsonb, "
            f"subject => 'subject-{key}', content_type => 'text/plain')")


def of_key(gantry, key):
    return [record for record in gantry.kafka.read(TOPIC) if record.key == key]


def test_an_event_of_psql_reaches_kafka_with_its_attributes(gantry):
    key = unique("key")
    gantry.sql.rows(publish(key, "hello", '{"x-colour": "blue"}'))
    records = wait_for("event", lambda: of_key(gantry, key))
    assert len(records) == 1 and records[0].value == "hello"
    headers = records[0].headers
    assert (headers["ce_type"], headers["ce_subject"]) == ("e2e.tested", f"subject-{key}")
    assert headers["ce_specversion"] == "1.0" and headers["ce_id"] and headers["ce_source"] and headers["ce_time"]
    assert headers["content-type"] == "text/plain" and headers["x-colour"] == "blue"


def test_a_rolled_back_event_never_does(gantry):
    lost, kept = unique("key"), unique("key")
    gantry.sql.rows(f"BEGIN; {publish(lost, 'lost')}; ROLLBACK;")
    gantry.sql.rows(publish(kept, "kept"))
    wait_for("the later event", lambda: of_key(gantry, kept))
    assert of_key(gantry, lost) == []


def test_events_of_a_key_keep_their_order(gantry):
    key = unique("key")
    script = "".join(publish(key, str(n)) + ";" for n in range(200))
    gantry.sql.rows(script)
    records = wait_for("200 events", lambda: (found := of_key(gantry, key)) and len(found) >= 200 and found)
    assert [int(record.value) for record in records] == list(range(200))
    assert len({record.headers["ce_id"] for record in records}) == 200


def test_the_relay_tells_how_far_it_is(gantry):
    def look():
        stats = gantry.http.get("/v1/outbox/stats").json
        return stats if stats["leader"] and int(stats["published"]) > 0 else None
    stats = wait_for("stats of the leader", look)
    assert stats["mode"] == gantry.stack.mode.upper()
    assert gantry.http.get("/v1/outbox/parked").json["records"] == []
