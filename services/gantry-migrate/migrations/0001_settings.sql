-- The schema, its settings row by row, ids, and time-ranged partitions.
-- Everything in schema gantry that carries a comment is public API.

CREATE SCHEMA IF NOT EXISTS gantry;
COMMENT ON SCHEMA gantry IS
    'Durable background work: jobs, outbox, schedules, HL7 messages. Applications call gantry.enqueue() and gantry.publish(); the tables belong to the services.';

-- Applications that only write jobs and events get this role and nothing else. A migrating role
-- that may not create roles leaves it to the administrator.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gantry_producer') THEN
        CREATE ROLE gantry_producer NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role gantry_producer does not exist and may not be created by %; applications need it to call gantry.enqueue() and gantry.publish()', current_user;
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this cluster was migrated at the same moment
END
$$;

-- Grants in every migration go through here, because the role may be missing.
CREATE FUNCTION gantry.grant_to_producer(privilege text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gantry_producer') THEN
        EXECUTE format('GRANT %s TO gantry_producer', privilege);
    END IF;
END
$$;
COMMENT ON FUNCTION gantry.grant_to_producer(text) IS
    'For migrations: grants a privilege, such as EXECUTE ON FUNCTION …, to gantry_producer if that role exists.';

SELECT gantry.grant_to_producer('USAGE ON SCHEMA gantry');

CREATE TABLE gantry.setting (
    name       text PRIMARY KEY,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT setting_outbox_mode
        CHECK (name <> 'outbox.mode' OR value IN ('wal', 'polling', 'both')),
    CONSTRAINT setting_outbox_reader
        CHECK (name <> 'outbox.reader' OR value IN ('wal', 'polling'))
);
COMMENT ON TABLE gantry.setting IS
    'Settings that every process and every SQL function of this database must see alike.';
COMMENT ON COLUMN gantry.setting.name IS
    'outbox.mode: which lanes wake-ups are written to. outbox.reader: which lane the relay reads. outbox.slot: name of the replication slot, absent for the default.';
COMMENT ON COLUMN gantry.setting.value IS
    'The value as text. outbox.mode is wal, polling or both; outbox.reader is wal or polling.';
COMMENT ON COLUMN gantry.setting.updated_at IS 'When it was last written.';

-- Decided once, here, and changed only by gantry-migrate set-mode.
INSERT INTO gantry.setting (name, value)
SELECT name, CASE current_setting('wal_level') WHEN 'logical' THEN 'wal' ELSE 'polling' END
FROM unnest(ARRAY['outbox.mode', 'outbox.reader']) AS name;

CREATE FUNCTION gantry.outbox_mode() RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT value FROM gantry.setting WHERE name = 'outbox.mode');
COMMENT ON FUNCTION gantry.outbox_mode() IS
    'Which lanes a transaction writes wake-ups to: wal, polling, or both while the mode is changing.';

CREATE FUNCTION gantry.outbox_slot() RETURNS text
LANGUAGE sql STABLE
RETURN coalesce(
    (SELECT value FROM gantry.setting WHERE name = 'outbox.slot'),
    'gantry_outbox_' || (SELECT oid FROM pg_database WHERE datname = current_database()));
COMMENT ON FUNCTION gantry.outbox_slot() IS
    'Name of the relay''s replication slot. Slots are cluster-wide, so the default holds the database''s oid.';

CREATE FUNCTION gantry.uuid_v7(at timestamptz DEFAULT clock_timestamp()) RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6),
        52, 1), 53, 1),
    'hex')::uuid;
COMMENT ON FUNCTION gantry.uuid_v7(timestamptz) IS
    'A new version 7 UUID (RFC 9562) of the given time, to the millisecond.';

CREATE FUNCTION gantry.uuid_v7_floor(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN encode(
    substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3)
        || '\x00000000000000000000'::bytea,
    'hex')::uuid;
COMMENT ON FUNCTION gantry.uuid_v7_floor(timestamptz) IS
    'The least UUID whose version 7 time is the given one: a bound of a partition or of a search.';

CREATE FUNCTION gantry.uuid_v7_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN to_timestamp(
    ('x0000' || substr(replace(id::text, '-', ''), 1, 12))::bit(64)::bigint / 1000.0);
COMMENT ON FUNCTION gantry.uuid_v7_time(uuid) IS
    'The creation time held in a version 7 UUID.';

CREATE TABLE gantry.partition_policy (
    table_name  text PRIMARY KEY,
    key_column  text NOT NULL,
    key_kind    text NOT NULL CHECK (key_kind IN ('uuid_v7', 'time')),
    fill_factor integer NOT NULL DEFAULT 100 CHECK (fill_factor BETWEEN 10 AND 100),
    retention   interval
);
COMMENT ON TABLE gantry.partition_policy IS
    'The tables of schema gantry that have one partition a UTC day and a DEFAULT partition; gantry.maintain_partitions() serves them all.';
COMMENT ON COLUMN gantry.partition_policy.table_name IS 'The table''s name within schema gantry.';
COMMENT ON COLUMN gantry.partition_policy.key_column IS 'The column it is range-partitioned by.';
COMMENT ON COLUMN gantry.partition_policy.key_kind IS
    'uuid_v7: bounds are gantry.uuid_v7_floor(midnight). time: bounds are midnights, UTC.';
COMMENT ON COLUMN gantry.partition_policy.fill_factor IS 'Fill factor of new partitions.';
COMMENT ON COLUMN gantry.partition_policy.retention IS
    'gantry.drop_old_partitions() drops a day when it ended longer ago than this. NULL: another function decides.';

CREATE FUNCTION gantry.make_partition(
    parent text, key_column text, key_kind text, fill_factor integer, day date) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    child   text := parent || '_' || to_char(day, 'YYYYMMDD');
    low     timestamptz := day::timestamp AT TIME ZONE 'UTC';
    high    timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    low_at  text;
    high_at text;
BEGIN
    IF to_regclass(format('gantry.%I', child)) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF key_kind = 'uuid_v7' THEN
        low_at := quote_literal(gantry.uuid_v7_floor(low));
        high_at := quote_literal(gantry.uuid_v7_floor(high));
    ELSE
        low_at := quote_literal(low);
        high_at := quote_literal(high);
    END IF;
    -- A table made apart and attached locks the parent less than CREATE TABLE … PARTITION OF does.
    EXECUTE format(
        'CREATE TABLE gantry.%I (LIKE gantry.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
        || ' INCLUDING INDEXES INCLUDING STORAGE INCLUDING COMPRESSION) WITH (fillfactor = %s)',
        child, parent, fill_factor);
    EXECUTE format('LOCK TABLE gantry.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    -- Rows that arrived before their day's partition existed waited in DEFAULT.
    EXECUTE format(
        'WITH late AS (DELETE FROM gantry.%1$I WHERE %2$I >= %3$s AND %2$I < %4$s RETURNING *)'
        || ' INSERT INTO gantry.%5$I SELECT * FROM late',
        parent || '_default', key_column, low_at, high_at, child);
    EXECUTE format('ALTER TABLE gantry.%I ATTACH PARTITION gantry.%I FOR VALUES FROM (%s) TO (%s)',
        parent, child, low_at, high_at);
    RETURN true;
END
$$;
COMMENT ON FUNCTION gantry.make_partition(text, text, text, integer, date) IS
    'Makes one day''s partition of a table unless it exists, and moves its rows over from DEFAULT. True if it made one.';

CREATE FUNCTION gantry.maintain_partitions(days_ahead integer DEFAULT 7)
RETURNS TABLE (table_name text, created integer, pending integer, in_default bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC' AS $$
DECLARE
    policy gantry.partition_policy;
    today  date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    day    date;
BEGIN
    IF days_ahead IS NULL OR days_ahead NOT BETWEEN 1 AND 60 THEN
        RAISE EXCEPTION 'days_ahead must be 1 to 60' USING ERRCODE = '22023';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('gantry.maintain_partitions', 0)) THEN
        RETURN;  -- another session is at it
    END IF;
    FOR policy IN SELECT * FROM gantry.partition_policy p ORDER BY p.table_name LOOP
        table_name := policy.table_name;
        created := 0;
        pending := 0;
        -- Yesterday too: a writer whose clock or transaction is old.
        FOR day IN SELECT d::date FROM generate_series(today - 1, today + days_ahead, '1 day') d LOOP
            BEGIN
                IF gantry.make_partition(policy.table_name, policy.key_column, policy.key_kind,
                                         policy.fill_factor, day) THEN
                    created := created + 1;
                END IF;
            EXCEPTION
                WHEN lock_not_available OR deadlock_detected THEN
                    pending := pending + 1;  -- the next call tries again; DEFAULT takes the rows
            END;
        END LOOP;
        EXECUTE format('SELECT count(*) FROM (SELECT FROM gantry.%I LIMIT 100000) s',
                       policy.table_name || '_default') INTO in_default;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION gantry.maintain_partitions(integer) IS
    'Makes the partitions of yesterday, today and days_ahead days of every table in gantry.partition_policy. Idempotent; waits at most 100 ms for a lock; no rows while another session does it. Call it every few minutes. created: made now. pending: could not be locked, call again. in_default: rows in the DEFAULT partition (counted to 100,000), which should be 0.';

CREATE FUNCTION gantry.drop_partition(parent text, child text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    EXECUTE format('ALTER TABLE gantry.%I DETACH PARTITION gantry.%I', parent, child);
    EXECUTE format('DROP TABLE gantry.%I', child);
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
END
$$;
COMMENT ON FUNCTION gantry.drop_partition(text, text) IS
    'Detaches and drops one partition. False if it could not be locked within 100 ms; call again.';

CREATE FUNCTION gantry.partition_days(parent text)
RETURNS TABLE (child text, day date, ended_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.relname::text,
           to_date(right(c.relname::text, 8), 'YYYYMMDD'),
           (to_date(right(c.relname::text, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC'
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('gantry.' || quote_ident(parent))
      AND c.relname ~ '_[0-9]{8}$'
    ORDER BY 2;
END;
COMMENT ON FUNCTION gantry.partition_days(text) IS
    'The day partitions of a table, oldest first, with the moment each day ended.';

CREATE FUNCTION gantry.drop_old_partitions(at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old     record;
    dropped integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('gantry.maintain_partitions', 0)) THEN
        RETURN 0;
    END IF;
    FOR old IN
        SELECT p.table_name, d.child
        FROM gantry.partition_policy p, gantry.partition_days(p.table_name) d
        WHERE p.retention IS NOT NULL AND d.ended_at < at - p.retention
    LOOP
        IF gantry.drop_partition(old.table_name, old.child) THEN
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION gantry.drop_old_partitions(timestamptz) IS
    'Drops the days of every table whose policy has a retention that has passed. Returns how many.';

CREATE TABLE gantry.audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    principal text NOT NULL,
    action    text NOT NULL,
    object    text NOT NULL,
    details   jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE gantry.audit IS
    'Who read or changed something that is watched, such as an HL7 message. Only ever inserted into.';
COMMENT ON COLUMN gantry.audit.id IS 'Number of the entry.';
COMMENT ON COLUMN gantry.audit.at IS 'When.';
COMMENT ON COLUMN gantry.audit.principal IS 'Who.';
COMMENT ON COLUMN gantry.audit.action IS 'What was done, for example hl7.read.';
COMMENT ON COLUMN gantry.audit.object IS 'Id of what it was done to.';
COMMENT ON COLUMN gantry.audit.details IS 'More, without personal data.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gantry FROM PUBLIC;
