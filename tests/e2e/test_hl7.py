"""HL7 over MLLP: acknowledged only when stored, an order from every ORM, once."""
from conftest import message, unique
from harness import segment, wait_for


def test_an_orm_becomes_an_event_and_an_order(gantry):
    number, control_id = unique("HL7"), unique("MSG")
    sent = message(number, control_id, facility="NORTH", codes=("CBC", "HBA1C"))
    with gantry.mllp() as connection:
        ack = connection.send(sent)
    assert segment(ack, "MSA")[1:3] == ["AA", control_id]
    msh = segment(ack, "MSH")
    assert msh[5:7] == ["EHR", "NORTH"], "sender and receiver are swapped"
    assert msh[9].startswith("ACK") and msh[12] == "2.5"

    order = wait_for("order of the message", lambda: gantry.orders(number=number, facility="NORTH"))[0]
    assert order["source"] == "HL7"
    assert order["items"] == [{"code": "CBC", "quantity": 1}, {"code": "HBA1C", "quantity": 1}]

    records = wait_for("event on gantry.hl7.orm", lambda: [r for r in gantry.kafka.read("gantry.hl7.orm")
                                                           if control_id in r.value])
    assert len(records) == 1
    assert records[0].value.encode() == sent, "the bytes are untouched"
    assert records[0].headers["ce_type"] == "hl7.orm_o01"
    assert records[0].headers["content-type"] == "application/hl7-v2"
    assert "NORTH" in records[0].key

    listed = gantry.http.get(f"/v1/hl7/messages?controlId={control_id}").json["messages"]
    assert [(m["messageCode"], m["acknowledgement"]) for m in listed] == [("ORM", "AA")]
    assert gantry.finished(listed[0]["jobId"])["state"] == "SUCCEEDED"


def test_the_same_message_again_gets_the_same_answer_and_makes_nothing(gantry):
    number, control_id = unique("HL7"), unique("MSG")
    sent = message(number, control_id)
    with gantry.mllp() as connection:
        first = connection.send(sent)
        second = connection.send(sent)
    with gantry.mllp() as connection:
        third = connection.send(sent)
    assert first == second == third
    wait_for("order of the message", lambda: gantry.orders(number=number))
    # A later message's effects are there, so a second effect of the repeated one would be too.
    other = unique("HL7")
    with gantry.mllp() as connection:
        connection.send(message(other))
    wait_for("order of the next message", lambda: gantry.orders(number=other))
    assert len(gantry.orders(number=number)) == 1
    wait_for("its event", lambda: [r for r in gantry.kafka.read("gantry.hl7.orm") if other in r.value])
    assert len([r for r in gantry.kafka.read("gantry.hl7.orm") if control_id in r.value]) == 1


def test_a_second_message_about_an_order_makes_no_second_order(gantry):
    number = unique("HL7")
    with gantry.mllp() as connection:
        for _ in range(2):
            assert segment(connection.send(message(number)), "MSA")[1] == "AA"
    wait_for("order", lambda: gantry.orders(number=number))
    jobs = gantry.http.get("/v1/jobs?queue=orders&type=orders.import_hl7&pageSize=2").json["jobs"]
    assert [gantry.finished(job["id"])["state"] for job in jobs] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(gantry.orders(number=number)) == 1


def test_other_messages_are_stored_and_published_without_a_job(gantry):
    control_id = unique("MSG")
    adt = message(control_id=control_id).replace(b"ORM^O01", b"ADT^A01").split(b"ORC|")[0]
    with gantry.mllp() as connection:
        assert segment(connection.send(adt), "MSA")[1:3] == ["AA", control_id]
    wait_for("event on gantry.hl7.adt",
             lambda: [r for r in gantry.kafka.read("gantry.hl7.adt") if control_id in (r.value or "")])
    listed = gantry.http.get(f"/v1/hl7/messages?controlId={control_id}").json["messages"]
    assert len(listed) == 1 and not listed[0].get("jobId")


def test_frames_in_one_write_are_answered_in_order(gantry):
    ids = [unique("MSG") for _ in range(20)]
    with gantry.mllp() as connection:
        connection.send_raw(b"".join(b"\x0b" + message(control_id=i) + b"\x1c\x0d" for i in ids))
        assert [segment(connection.receive(), "MSA")[1:3] for _ in ids] == [["AA", i] for i in ids]
