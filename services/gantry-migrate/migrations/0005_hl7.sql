-- HL7 v2 messages as received. Everything the peer wrote is bytea, so that no byte can spoil a batch.

CREATE TABLE gantry.hl7_message (
    id                    uuid NOT NULL,
    received_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    outbox_id             bigint,
    job_id                uuid,
    size                  integer NOT NULL,
    undecodable           boolean NOT NULL DEFAULT false,
    listener              text NOT NULL,
    peer                  text NOT NULL,
    facility              text NOT NULL,
    message_code          text NOT NULL DEFAULT '',
    trigger_event         text NOT NULL DEFAULT '',
    version               text NOT NULL DEFAULT '',
    charset               text NOT NULL DEFAULT '',
    ack_code              text NOT NULL DEFAULT '',
    topic                 text,
    sha256                bytea NOT NULL,
    sender                bytea NOT NULL,
    control_id            bytea NOT NULL,
    message_type          bytea NOT NULL DEFAULT '',
    sending_application   bytea NOT NULL DEFAULT '',
    sending_facility      bytea NOT NULL DEFAULT '',
    receiving_application bytea NOT NULL DEFAULT '',
    receiving_facility    bytea NOT NULL DEFAULT '',
    processing_id         bytea NOT NULL DEFAULT '',
    ack                   bytea NOT NULL DEFAULT '',
    raw                   bytea NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE gantry.hl7_message_default PARTITION OF gantry.hl7_message DEFAULT;
COMMENT ON TABLE gantry.hl7_message IS
    'Every accepted message, partitioned by the day in its UUIDv7. Holds personal health data: reading raw leaves a row in gantry.audit.';
COMMENT ON COLUMN gantry.hl7_message.id IS 'UUIDv7 of the moment of receipt: list by id, newest first.';
COMMENT ON COLUMN gantry.hl7_message.received_at IS 'When it was received.';
COMMENT ON COLUMN gantry.hl7_message.outbox_id IS 'The event made of it.';
COMMENT ON COLUMN gantry.hl7_message.job_id IS 'The job made of it, if its route makes one.';
COMMENT ON COLUMN gantry.hl7_message.size IS 'Bytes of raw.';
COMMENT ON COLUMN gantry.hl7_message.undecodable IS 'Some text is not of the declared character set.';
COMMENT ON COLUMN gantry.hl7_message.listener IS 'Which listener received it.';
COMMENT ON COLUMN gantry.hl7_message.peer IS 'Address of the sender''s connection.';
COMMENT ON COLUMN gantry.hl7_message.facility IS 'MSH-4.1 as text, made safe; part of the event''s key.';
COMMENT ON COLUMN gantry.hl7_message.message_code IS 'MSH-9.1, for example ORM.';
COMMENT ON COLUMN gantry.hl7_message.trigger_event IS 'MSH-9.2, for example O01.';
COMMENT ON COLUMN gantry.hl7_message.version IS 'MSH-12.';
COMMENT ON COLUMN gantry.hl7_message.charset IS 'MSH-18, or the listener''s default.';
COMMENT ON COLUMN gantry.hl7_message.ack_code IS 'AA, AE, CA ….';
COMMENT ON COLUMN gantry.hl7_message.topic IS 'Where its event goes.';
COMMENT ON COLUMN gantry.hl7_message.sha256 IS 'SHA-256 of raw.';
COMMENT ON COLUMN gantry.hl7_message.sender IS 'MSH-3 and MSH-4: whose control id it is.';
COMMENT ON COLUMN gantry.hl7_message.control_id IS 'MSH-10, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.message_type IS 'MSH-9, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.sending_application IS 'MSH-3, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.sending_facility IS 'MSH-4, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.receiving_application IS 'MSH-5, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.receiving_facility IS 'MSH-6, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.processing_id IS 'MSH-11, verbatim.';
COMMENT ON COLUMN gantry.hl7_message.ack IS 'The acknowledgement that was sent.';
COMMENT ON COLUMN gantry.hl7_message.raw IS 'The message, exactly as received.';

CREATE TABLE gantry.hl7_dedup (
    sender      bytea NOT NULL,
    control_id  bytea NOT NULL,
    sha256      bytea NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ack         bytea NOT NULL,
    PRIMARY KEY (sender, control_id, sha256)
);
CREATE INDEX hl7_dedup_received_at ON gantry.hl7_dedup (received_at);
COMMENT ON TABLE gantry.hl7_dedup IS
    'What has been acknowledged in the duplicate window. The same sender, control id and body gets the stored answer again. Not partitioned: its key must be unique over all time.';
COMMENT ON COLUMN gantry.hl7_dedup.sender IS 'MSH-3 and MSH-4.';
COMMENT ON COLUMN gantry.hl7_dedup.control_id IS 'MSH-10, verbatim.';
COMMENT ON COLUMN gantry.hl7_dedup.sha256 IS 'SHA-256 of the message as received.';
COMMENT ON COLUMN gantry.hl7_dedup.message_id IS 'The stored message.';
COMMENT ON COLUMN gantry.hl7_dedup.received_at IS 'When; forgotten after the window.';
COMMENT ON COLUMN gantry.hl7_dedup.ack IS 'The answer it got.';

CREATE TABLE gantry.hl7_quarantine (
    id          uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    size        bigint NOT NULL,
    truncated   boolean NOT NULL DEFAULT false,
    listener    text NOT NULL,
    peer        text NOT NULL,
    reason      text NOT NULL,
    sha256      bytea NOT NULL,
    bytes       bytea NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE gantry.hl7_quarantine_default PARTITION OF gantry.hl7_quarantine DEFAULT;
COMMENT ON TABLE gantry.hl7_quarantine IS
    'Bytes that were no acceptable message, kept for people to look at. May hold personal health data.';
COMMENT ON COLUMN gantry.hl7_quarantine.id IS 'UUIDv7 of the moment of receipt.';
COMMENT ON COLUMN gantry.hl7_quarantine.received_at IS 'When.';
COMMENT ON COLUMN gantry.hl7_quarantine.size IS 'How many bytes there were.';
COMMENT ON COLUMN gantry.hl7_quarantine.truncated IS 'True: only a prefix is kept.';
COMMENT ON COLUMN gantry.hl7_quarantine.listener IS 'Which listener received it.';
COMMENT ON COLUMN gantry.hl7_quarantine.peer IS 'Address of the sender''s connection.';
COMMENT ON COLUMN gantry.hl7_quarantine.reason IS 'Why, in one snake_case word.';
COMMENT ON COLUMN gantry.hl7_quarantine.sha256 IS 'SHA-256 of what is kept.';
COMMENT ON COLUMN gantry.hl7_quarantine.bytes IS 'The bytes, or their beginning.';

INSERT INTO gantry.partition_policy (table_name, key_column, key_kind, retention) VALUES
    ('hl7_message', 'id', 'uuid_v7', '30 days'),
    ('hl7_quarantine', 'id', 'uuid_v7', '30 days');

CREATE FUNCTION gantry.hl7_maintain(
    keep         interval DEFAULT '30 days',
    dedup_window interval DEFAULT '72 hours',
    at           timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    purged bigint;
BEGIN
    IF keep IS NULL OR keep < interval '1 day' THEN
        RAISE EXCEPTION 'keep must be at least 1 day' USING ERRCODE = '22023';
    END IF;
    IF dedup_window IS NULL OR dedup_window < interval '1 minute' THEN
        RAISE EXCEPTION 'dedup_window must be at least 1 minute' USING ERRCODE = '22023';
    END IF;
    UPDATE gantry.partition_policy p SET retention = keep
    WHERE p.table_name IN ('hl7_message', 'hl7_quarantine')
      AND p.retention IS DISTINCT FROM keep;
    PERFORM gantry.maintain_partitions();
    PERFORM gantry.drop_old_partitions(at);
    DELETE FROM gantry.hl7_dedup d
    WHERE d.ctid = ANY (ARRAY(SELECT o.ctid FROM gantry.hl7_dedup o
                              WHERE o.received_at < at - dedup_window
                              ORDER BY o.received_at LIMIT 10000 FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION gantry.hl7_maintain(interval, interval, timestamptz) IS
    'Makes partitions ahead, drops days of messages and quarantine that ended longer ago than keep, and purges up to 10,000 duplicates'' keys older than dedup_window. Returns how many it purged: call again at once while that is 10,000.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gantry FROM PUBLIC;
