-- The reference domain: orders that arrive by HTTP or HL7 and are processed by jobs.

CREATE SCHEMA IF NOT EXISTS orders;
COMMENT ON SCHEMA orders IS 'The reference domain of orders.';

CREATE TABLE orders.orders (
    id               uuid PRIMARY KEY DEFAULT gantry.uuid_v7(),
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    synced_at        timestamptz,
    processed_at     timestamptz,
    sync_lease_until timestamptz,
    sync_attempts    integer NOT NULL DEFAULT 0,
    version          bigint NOT NULL DEFAULT 1,
    job_id           uuid,
    message_id       uuid,
    status           text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'processed', 'failed')),
    source           text NOT NULL DEFAULT 'api' CHECK (source IN ('api', 'hl7')),
    number           text NOT NULL CHECK (octet_length(number) BETWEEN 1 AND 255),
    facility         text NOT NULL CHECK (octet_length(facility) BETWEEN 1 AND 255),
    patient_ref      text NOT NULL DEFAULT '' CHECK (octet_length(patient_ref) <= 255),
    sync_error       text,
    items            jsonb NOT NULL CHECK (jsonb_typeof(items) = 'array'),
    CONSTRAINT orders_facility_number UNIQUE (facility, number)
) WITH (fillfactor = 80);
CREATE INDEX orders_number ON orders.orders (number, id);
CREATE INDEX orders_facility ON orders.orders (facility, id);
CREATE INDEX orders_status ON orders.orders (status, id);
CREATE INDEX orders_unsynced ON orders.orders (sync_attempts, id) WHERE synced_at IS NULL;
COMMENT ON TABLE orders.orders IS 'Orders. Holds a reference to the patient, so it is personal data.';
COMMENT ON COLUMN orders.orders.id IS 'UUIDv7; lists go by it, newest first.';
COMMENT ON COLUMN orders.orders.created_at IS 'When it was accepted.';
COMMENT ON COLUMN orders.orders.synced_at IS 'When the external system took it. NULL: not yet.';
COMMENT ON COLUMN orders.orders.processed_at IS 'When it was processed.';
COMMENT ON COLUMN orders.orders.sync_lease_until IS 'A worker is sending it until then.';
COMMENT ON COLUMN orders.orders.sync_attempts IS 'How often sending was tried.';
COMMENT ON COLUMN orders.orders.version IS 'Rises with every change.';
COMMENT ON COLUMN orders.orders.job_id IS 'The latest job that processes it.';
COMMENT ON COLUMN orders.orders.message_id IS 'The HL7 message it came from, if any.';
COMMENT ON COLUMN orders.orders.status IS 'pending, processing, processed or failed.';
COMMENT ON COLUMN orders.orders.source IS 'api or hl7.';
COMMENT ON COLUMN orders.orders.number IS 'The placer''s number, unique within the facility.';
COMMENT ON COLUMN orders.orders.facility IS 'Who placed it.';
COMMENT ON COLUMN orders.orders.patient_ref IS 'The facility''s identifier of the patient.';
COMMENT ON COLUMN orders.orders.sync_error IS 'Why the latest sending failed, without personal data.';
COMMENT ON COLUMN orders.orders.items IS 'What was ordered: [{"code": text, "quantity": integer}].';

CREATE TABLE orders.daily_report (
    day         date PRIMARY KEY,
    created     bigint NOT NULL,
    processed   bigint NOT NULL,
    failed      bigint NOT NULL,
    by_facility jsonb NOT NULL DEFAULT '{}',
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    job_id      uuid
);
COMMENT ON TABLE orders.daily_report IS 'One row a UTC day, made by the job reports.daily.';
COMMENT ON COLUMN orders.daily_report.day IS 'The day reported on.';
COMMENT ON COLUMN orders.daily_report.created IS 'Orders accepted on that day.';
COMMENT ON COLUMN orders.daily_report.processed IS 'Orders processed on that day.';
COMMENT ON COLUMN orders.daily_report.failed IS 'Orders accepted on that day that failed.';
COMMENT ON COLUMN orders.daily_report.by_facility IS 'Accepted orders by facility: {facility: count}.';
COMMENT ON COLUMN orders.daily_report.made_at IS 'When the report was made.';
COMMENT ON COLUMN orders.daily_report.job_id IS 'The job that made it.';
