-- The outbox: gantry.publish() writes events, job wake-ups take a fast lane, the relay carries both
-- to Kafka. The ledger is never updated; all progress lives in small side tables.

CREATE TABLE gantry.outbox_message (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic        text NOT NULL,
    key          text,
    type         text NOT NULL,
    payload      bytea,
    headers      jsonb NOT NULL DEFAULT '{}',
    trace        text,
    subject      text,
    source       text NOT NULL DEFAULT '/gantry',
    content_type text NOT NULL DEFAULT 'application/octet-stream'
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_message_xid_id ON gantry.outbox_message (xid, id);
CREATE TABLE gantry.outbox_message_default PARTITION OF gantry.outbox_message DEFAULT;
COMMENT ON TABLE gantry.outbox_message IS
    'The ledger of events, one row a gantry.publish(). Insert-only; days are dropped behind the relay''s proven checkpoint.';
COMMENT ON COLUMN gantry.outbox_message.id IS
    'Rises in the order in which rows were written, which is not the order of commits.';
COMMENT ON COLUMN gantry.outbox_message.xid IS
    'The transaction that wrote it: what a stored snapshot is asked about.';
COMMENT ON COLUMN gantry.outbox_message.created_at IS 'When it was written; ce_time.';
COMMENT ON COLUMN gantry.outbox_message.topic IS 'The full Kafka topic name.';
COMMENT ON COLUMN gantry.outbox_message.key IS
    'The Kafka key; events of one key keep their order. NULL: any partition.';
COMMENT ON COLUMN gantry.outbox_message.type IS 'ce_type.';
COMMENT ON COLUMN gantry.outbox_message.payload IS 'The record''s value, untouched. NULL: a tombstone.';
COMMENT ON COLUMN gantry.outbox_message.headers IS
    'Further Kafka headers, a flat object of strings. ce_id here replaces the default, which is the row''s id.';
COMMENT ON COLUMN gantry.outbox_message.trace IS 'W3C traceparent, or NULL.';
COMMENT ON COLUMN gantry.outbox_message.subject IS 'ce_subject, or NULL.';
COMMENT ON COLUMN gantry.outbox_message.source IS 'ce_source.';
COMMENT ON COLUMN gantry.outbox_message.content_type IS 'The content-type header.';

CREATE TABLE gantry.outbox_wakeup (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    job        uuid NOT NULL,
    dispatch   bigint NOT NULL,
    queue      text NOT NULL,
    key        text
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_wakeup_xid_id ON gantry.outbox_wakeup (xid, id);
CREATE TABLE gantry.outbox_wakeup_default PARTITION OF gantry.outbox_wakeup DEFAULT;
COMMENT ON TABLE gantry.outbox_wakeup IS
    'Polling mode''s fast lane: one row a wake-up of a job. In WAL mode a logical message takes its place.';
COMMENT ON COLUMN gantry.outbox_wakeup.id IS 'Rises in the order of writing.';
COMMENT ON COLUMN gantry.outbox_wakeup.xid IS 'The transaction that woke the job.';
COMMENT ON COLUMN gantry.outbox_wakeup.created_at IS 'When it was written.';
COMMENT ON COLUMN gantry.outbox_wakeup.job IS 'The job to wake.';
COMMENT ON COLUMN gantry.outbox_wakeup.dispatch IS 'The job''s dispatch at that moment.';
COMMENT ON COLUMN gantry.outbox_wakeup.queue IS 'The job''s queue, which names the topic.';
COMMENT ON COLUMN gantry.outbox_wakeup.key IS 'The job''s key, or NULL.';

CREATE TABLE gantry.outbox_heartbeat (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch      bigint NOT NULL,
    snapshot   pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE gantry.outbox_heartbeat IS
    'A row a second from the leading relay. Read back through the stream with all before it acknowledged, its snapshot is a proven checkpoint.';
COMMENT ON COLUMN gantry.outbox_heartbeat.id IS 'Number of the beat.';
COMMENT ON COLUMN gantry.outbox_heartbeat.epoch IS 'Epoch of the relay that wrote it.';
COMMENT ON COLUMN gantry.outbox_heartbeat.snapshot IS 'What was committed when it was written.';
COMMENT ON COLUMN gantry.outbox_heartbeat.created_at IS 'When it was written.';

CREATE FUNCTION gantry.outbox_beat(epoch bigint) RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    DELETE FROM gantry.outbox_heartbeat h
    WHERE h.created_at < clock_timestamp() - interval '5 minutes';
    INSERT INTO gantry.outbox_heartbeat (epoch) VALUES (outbox_beat.epoch) RETURNING id;
END;
COMMENT ON FUNCTION gantry.outbox_beat(bigint) IS
    'Writes a heartbeat with the current snapshot, forgets those older than 5 minutes, returns its id.';

CREATE TABLE gantry.outbox_lease (
    shard       integer PRIMARY KEY,
    epoch       bigint NOT NULL DEFAULT 0,
    owner       text NOT NULL DEFAULT '',
    acquired_at timestamptz NOT NULL DEFAULT '-infinity',
    expires_at  timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE gantry.outbox_lease IS
    'Who leads publishing. The epoch rises with every takeover and fences the leader before.';
COMMENT ON COLUMN gantry.outbox_lease.shard IS 'Number of the shard; 0 where there is one.';
COMMENT ON COLUMN gantry.outbox_lease.epoch IS
    'Every write of a leader carries WHERE epoch = its own.';
COMMENT ON COLUMN gantry.outbox_lease.owner IS 'Which process, for people.';
COMMENT ON COLUMN gantry.outbox_lease.acquired_at IS 'When this epoch began.';
COMMENT ON COLUMN gantry.outbox_lease.expires_at IS
    'From then on, by the database''s clock, another may take it.';
INSERT INTO gantry.outbox_lease (shard) VALUES (0);

CREATE TABLE gantry.outbox_checkpoint (
    shard             integer PRIMARY KEY,
    epoch             bigint NOT NULL,
    slot              text NOT NULL,
    system_identifier text NOT NULL,
    end_lsn           pg_lsn NOT NULL,
    tx_index          bigint NOT NULL DEFAULT 0,
    snapshot          pg_snapshot,
    heartbeat_id      bigint,
    snapshot_at       timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE gantry.outbox_checkpoint IS
    'WAL mode: how far the relay''s own progress is, independent of the slot.';
COMMENT ON COLUMN gantry.outbox_checkpoint.shard IS 'See gantry.outbox_lease.';
COMMENT ON COLUMN gantry.outbox_checkpoint.epoch IS 'Epoch of the leader that wrote it.';
COMMENT ON COLUMN gantry.outbox_checkpoint.slot IS 'The replication slot it is about.';
COMMENT ON COLUMN gantry.outbox_checkpoint.system_identifier IS
    'The cluster it is about; another one means that the database was restored.';
COMMENT ON COLUMN gantry.outbox_checkpoint.end_lsn IS
    'Every record of the transactions up to here is acknowledged by Kafka or parked.';
COMMENT ON COLUMN gantry.outbox_checkpoint.tx_index IS
    'So many records of the next transaction are done too.';
COMMENT ON COLUMN gantry.outbox_checkpoint.snapshot IS
    'Proven: everything visible in it is published. What slot-loss recovery starts from.';
COMMENT ON COLUMN gantry.outbox_checkpoint.heartbeat_id IS 'The heartbeat that proved it.';
COMMENT ON COLUMN gantry.outbox_checkpoint.snapshot_at IS 'When that heartbeat was written.';
COMMENT ON COLUMN gantry.outbox_checkpoint.updated_at IS 'When the row was last written.';

CREATE TABLE gantry.outbox_cursor (
    shard          integer PRIMARY KEY,
    epoch          bigint NOT NULL,
    from_snapshot  pg_snapshot,
    to_snapshot    pg_snapshot,
    last_id        bigint NOT NULL DEFAULT 0,
    last_wakeup_id bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE gantry.outbox_cursor IS
    'Polling mode: the relay publishes what to_snapshot sees and from_snapshot does not, in id order.';
COMMENT ON COLUMN gantry.outbox_cursor.shard IS 'See gantry.outbox_lease.';
COMMENT ON COLUMN gantry.outbox_cursor.epoch IS 'Epoch of the leader that wrote it.';
COMMENT ON COLUMN gantry.outbox_cursor.from_snapshot IS
    'Everything visible in it is published. NULL: nothing is known to be.';
COMMENT ON COLUMN gantry.outbox_cursor.to_snapshot IS
    'The round under way; NULL between rounds. It becomes from_snapshot when the round is acknowledged.';
COMMENT ON COLUMN gantry.outbox_cursor.last_id IS
    'Ledger rows of the round up to this id are acknowledged or parked.';
COMMENT ON COLUMN gantry.outbox_cursor.last_wakeup_id IS
    'Wake-up rows of the round up to this id are acknowledged or parked.';
COMMENT ON COLUMN gantry.outbox_cursor.updated_at IS 'When the row was last written.';

CREATE TABLE gantry.outbox_parked (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position   text NOT NULL UNIQUE,
    lane       text NOT NULL CHECK (lane IN ('ledger', 'fast')),
    outbox_id  bigint,
    topic      text NOT NULL,
    key        bytea,
    type       text NOT NULL DEFAULT '',
    payload    bytea,
    headers    jsonb NOT NULL DEFAULT '{}',
    reason     text NOT NULL,
    error      text NOT NULL DEFAULT '',
    retry_count integer NOT NULL DEFAULT 0,
    epoch      bigint NOT NULL DEFAULT 0,
    parked_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE gantry.outbox_parked IS
    'Whole records that Kafka refused for good, set aside so that their neighbours flow.';
COMMENT ON COLUMN gantry.outbox_parked.id IS 'Number of the parked record.';
COMMENT ON COLUMN gantry.outbox_parked.position IS
    'Where it stood: ledger:<outbox id>, or fast:<job>/<dispatch>. A record met again is skipped by it.';
COMMENT ON COLUMN gantry.outbox_parked.lane IS 'ledger or fast.';
COMMENT ON COLUMN gantry.outbox_parked.outbox_id IS 'Its ledger id, if it has one.';
COMMENT ON COLUMN gantry.outbox_parked.topic IS 'Where it should have gone.';
COMMENT ON COLUMN gantry.outbox_parked.key IS 'The Kafka key.';
COMMENT ON COLUMN gantry.outbox_parked.type IS 'ce_type.';
COMMENT ON COLUMN gantry.outbox_parked.payload IS 'The value, untouched.';
COMMENT ON COLUMN gantry.outbox_parked.headers IS 'Every Kafka header, a flat object of strings.';
COMMENT ON COLUMN gantry.outbox_parked.reason IS 'Why, in one UPPER_SNAKE_CASE word.';
COMMENT ON COLUMN gantry.outbox_parked.error IS 'Why, in Kafka''s words.';
COMMENT ON COLUMN gantry.outbox_parked.retry_count IS 'How often it was sent again since.';
COMMENT ON COLUMN gantry.outbox_parked.epoch IS 'Epoch of the leader that parked it.';
COMMENT ON COLUMN gantry.outbox_parked.parked_at IS 'When.';

CREATE TABLE gantry.outbox_handover (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    to_reader    text NOT NULL CHECK (to_reader IN ('wal', 'polling')),
    slot         text,
    snapshot     pg_snapshot,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz
);
CREATE UNIQUE INDEX outbox_handover_one_open ON gantry.outbox_handover ((true))
    WHERE finished_at IS NULL;
COMMENT ON TABLE gantry.outbox_handover IS
    'Changes of the relay''s reader, asked for by gantry-migrate set-mode and finished by the leading relay through gantry.finish_outbox_handover(). While one is open, writers use both lanes.';
COMMENT ON COLUMN gantry.outbox_handover.id IS 'Number of the change.';
COMMENT ON COLUMN gantry.outbox_handover.to_reader IS 'What the relay shall read from then on.';
COMMENT ON COLUMN gantry.outbox_handover.slot IS
    'To wal: the slot that was made for it. Everything that snapshot does not see comes through it.';
COMMENT ON COLUMN gantry.outbox_handover.snapshot IS
    'To wal: polling''s last to_snapshot. To polling: filled in at the end with polling''s first from_snapshot.';
COMMENT ON COLUMN gantry.outbox_handover.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN gantry.outbox_handover.finished_at IS 'When the relay had changed; NULL: open.';

CREATE FUNCTION gantry.finish_outbox_handover(
    handover bigint, epoch bigint, first_snapshot pg_snapshot DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change gantry.outbox_handover;
BEGIN
    PERFORM FROM gantry.outbox_lease l WHERE l.shard = 0
        AND l.epoch = finish_outbox_handover.epoch FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE gantry.outbox_handover h
    SET finished_at = clock_timestamp(), snapshot = coalesce(first_snapshot, h.snapshot)
    WHERE h.id = handover AND h.finished_at IS NULL
    RETURNING * INTO change;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF change.to_reader = 'polling' THEN
        INSERT INTO gantry.outbox_cursor AS c (shard, epoch, from_snapshot)
        VALUES (0, finish_outbox_handover.epoch, change.snapshot)
        ON CONFLICT (shard) DO UPDATE
        SET epoch = excluded.epoch, from_snapshot = excluded.from_snapshot, to_snapshot = NULL,
            last_id = 0, last_wakeup_id = 0, updated_at = clock_timestamp();
    END IF;
    UPDATE gantry.setting s SET value = change.to_reader, updated_at = now()
    WHERE s.name IN ('outbox.mode', 'outbox.reader');
    RETURN true;
END
$$;
COMMENT ON FUNCTION gantry.finish_outbox_handover(bigint, bigint, pg_snapshot) IS
    'For the leading relay, once it has published everything of its old reader: closes the handover, moves outbox.reader and outbox.mode, and to polling stores first_snapshot as the cursor. False if the epoch is not the lease''s or the handover is closed.';

CREATE FUNCTION gantry.wakeup_text(
    queue text, job uuid, dispatch bigint, key text, xid xid8) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN '{"queue":"' || queue || '","id":"' || job::text || '","dispatch":' || dispatch::text
    || CASE WHEN key IS NULL THEN '' ELSE ',"key":' || to_json(key)::text END
    || ',"xid":"' || xid::text || '"}';
COMMENT ON FUNCTION gantry.wakeup_text(text, uuid, bigint, text, xid8) IS
    'The text of a wake-up on the fast lane: compact JSON, without payload.';

-- Called for every job: plain statements, whose plans a session keeps.
CREATE FUNCTION gantry.emit_wakeup(queue text, job uuid, dispatch bigint, key text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    mode text;
BEGIN
    SELECT s.value INTO mode FROM gantry.setting s WHERE s.name = 'outbox.mode';
    IF mode IS DISTINCT FROM 'polling' THEN
        PERFORM pg_logical_emit_message(
            true, 'gantry', gantry.wakeup_text(queue, job, dispatch, key, pg_current_xact_id()));
    END IF;
    IF mode IS DISTINCT FROM 'wal' THEN
        INSERT INTO gantry.outbox_wakeup (queue, job, dispatch, key)
        VALUES (emit_wakeup.queue, emit_wakeup.job, emit_wakeup.dispatch, emit_wakeup.key);
    END IF;
END
$$;
COMMENT ON FUNCTION gantry.emit_wakeup(text, uuid, bigint, text) IS
    'For services: puts a wake-up of a job on the fast lane in the caller''s transaction: a logical message in WAL mode, a row of gantry.outbox_wakeup in polling mode, both while the mode changes. The caller sets wake_xid = pg_current_xact_id() on the row it wakes.';

CREATE FUNCTION gantry.emit_wakeups(
    queues text[], jobs uuid[], dispatches bigint[], keys text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    mode text;
BEGIN
    SELECT s.value INTO mode FROM gantry.setting s WHERE s.name = 'outbox.mode';
    IF mode IS DISTINCT FROM 'polling' THEN
        PERFORM pg_logical_emit_message(
            true, 'gantry',
            gantry.wakeup_text(w.queue, w.job, w.dispatch, w.key, pg_current_xact_id()))
        FROM unnest(queues, jobs, dispatches, keys) AS w (queue, job, dispatch, key);
    END IF;
    IF mode IS DISTINCT FROM 'wal' THEN
        INSERT INTO gantry.outbox_wakeup (queue, job, dispatch, key)
        SELECT * FROM unnest(queues, jobs, dispatches, keys);
    END IF;
END
$$;
COMMENT ON FUNCTION gantry.emit_wakeups(text[], uuid[], bigint[], text[]) IS
    'gantry.emit_wakeup() for many jobs at once, in array order.';

CREATE FUNCTION gantry.valid_traceparent(traceparent text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
            THEN traceparent END;
COMMENT ON FUNCTION gantry.valid_traceparent(text) IS
    'The text if it is a W3C traceparent, else NULL: a broken trace never fails the work.';

CREATE FUNCTION gantry.publish(
    topic        text,
    key          text,
    type         text,
    payload      bytea,
    headers      jsonb DEFAULT '{}',
    subject      text DEFAULT NULL,
    content_type text DEFAULT 'application/octet-stream',
    traceparent  text DEFAULT NULL,
    source       text DEFAULT '/gantry'
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault  text;
    row_id bigint;
BEGIN
    fault := CASE
        WHEN topic IS NULL OR length(topic) > 249 OR topic !~ '^[A-Za-z0-9._-]+$'
             OR topic IN ('.', '..') THEN
            'topic must be 1 to 249 of A-Z a-z 0-9 . _ -'
        WHEN octet_length(key) > 1024 THEN
            'key must be at most 1024 bytes'
        WHEN type IS NULL OR length(type) > 255 OR type !~ '^[!-~]+$' THEN
            'type must be 1 to 255 visible ASCII characters without spaces'
        WHEN octet_length(payload) > 1048576 THEN
            'payload must be at most 1 MiB (1048576 bytes); publish a reference to larger data'
        WHEN headers IS NULL OR jsonb_typeof(headers) <> 'object' THEN
            'headers must be a JSON object'
        WHEN octet_length(headers::text) > 32768 THEN
            'headers must be at most 32 KiB of JSON'
        WHEN octet_length(subject) > 1024 OR subject = '' THEN
            'subject must be 1 to 1024 bytes, or NULL'
        WHEN content_type IS NULL OR length(content_type) > 255 OR content_type !~ '^[ -~]+$' THEN
            'content_type must be 1 to 255 printable ASCII characters'
        WHEN source IS NULL OR length(source) > 255 OR source !~ '^[!-~]+$' THEN
            'source must be a URI reference of 1 to 255 visible ASCII characters'
    END;
    IF fault IS NULL AND headers <> '{}' THEN
        SELECT CASE
            WHEN h.name !~ '^[A-Za-z0-9._-]{1,255}$' THEN
                'headers names must be 1 to 255 of A-Z a-z 0-9 . _ -'
            WHEN jsonb_typeof(h.value) <> 'string' THEN
                'headers values must be strings'
            ELSE
                'headers must not set ce_specversion, ce_type, ce_source, ce_time, ce_subject, content-type or traceparent: they have their own parameters'
            END
        INTO fault
        FROM jsonb_each(headers) AS h (name, value)
        WHERE h.name !~ '^[A-Za-z0-9._-]{1,255}$'
           OR jsonb_typeof(h.value) <> 'string'
           OR lower(h.name) IN ('ce_specversion', 'ce_type', 'ce_source', 'ce_time', 'ce_subject',
                                'content-type', 'traceparent')
        LIMIT 1;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'gantry.publish: %', fault USING ERRCODE = '22023';
    END IF;
    INSERT INTO gantry.outbox_message AS m
        (topic, key, type, payload, headers, trace, subject, source, content_type)
    VALUES (publish.topic, publish.key, publish.type, publish.payload, publish.headers,
            gantry.valid_traceparent(traceparent), publish.subject, publish.source,
            publish.content_type)
    RETURNING m.id INTO row_id;
    RETURN row_id;
END
$$;
COMMENT ON FUNCTION gantry.publish(text, text, text, bytea, jsonb, text, text, text, text) IS
    'Publishes a CloudEvent to a Kafka topic when, and only when, the calling transaction commits. topic: the full name. key: events of one key keep their order; NULL for none. type, subject, source: CloudEvents attributes. payload: at most 1 MiB, sent untouched; NULL is a tombstone. headers: further Kafka headers, a flat JSON object of strings; ce_id here sets the event''s id, else it is the number that this function returns. traceparent: W3C; ignored if malformed. A parameter that is not allowed is refused with SQLSTATE 22023, and the message names it.';
SELECT gantry.grant_to_producer(
    'EXECUTE ON FUNCTION gantry.publish(text, text, text, bytea, jsonb, text, text, text, text)');

INSERT INTO gantry.partition_policy (table_name, key_column, key_kind, retention) VALUES
    ('outbox_message', 'created_at', 'time', NULL),
    ('outbox_wakeup', 'created_at', 'time', NULL);

CREATE FUNCTION gantry.outbox_proven_snapshot() RETURNS pg_snapshot
LANGUAGE sql STABLE
RETURN CASE
    WHEN EXISTS (SELECT FROM gantry.outbox_handover WHERE finished_at IS NULL) THEN NULL
    WHEN (SELECT value FROM gantry.setting WHERE name = 'outbox.reader') = 'wal'
        THEN (SELECT snapshot FROM gantry.outbox_checkpoint WHERE shard = 0)
    ELSE (SELECT from_snapshot FROM gantry.outbox_cursor WHERE shard = 0)
END;
COMMENT ON FUNCTION gantry.outbox_proven_snapshot() IS
    'Everything visible in it is published. NULL while nothing is proven or the mode is changing.';

CREATE FUNCTION gantry.outbox_drop_published(
    keep interval DEFAULT '3 days', at timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    proven  pg_snapshot := gantry.outbox_proven_snapshot();
    reader  text := (SELECT value FROM gantry.setting WHERE name = 'outbox.reader');
    old     record;
    waiting boolean;
    dropped integer := 0;
BEGIN
    IF keep IS NULL OR keep < interval '0' THEN
        RAISE EXCEPTION 'keep must not be negative' USING ERRCODE = '22023';
    END IF;
    IF proven IS NULL
       OR NOT pg_try_advisory_xact_lock(hashtextextended('gantry.maintain_partitions', 0)) THEN
        RETURN 0;
    END IF;
    FOR old IN
        SELECT 'outbox_message' AS parent, d.child
        FROM gantry.partition_days('outbox_message') d WHERE d.ended_at < at - keep
        UNION ALL
        SELECT 'outbox_wakeup', d.child
        FROM gantry.partition_days('outbox_wakeup') d WHERE d.ended_at < at
    LOOP
        -- A writer may still be inside the old day: no row may appear between look and drop.
        BEGIN
            PERFORM set_config('lock_timeout', '100ms', true);
            EXECUTE format('LOCK TABLE gantry.%I IN SHARE MODE', old.child);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            CONTINUE;
        END;
        EXECUTE format('SELECT EXISTS (SELECT FROM gantry.%I WHERE NOT pg_visible_in_snapshot(xid, $1))',
                       old.child) INTO waiting USING proven;
        IF waiting AND NOT (old.parent = 'outbox_wakeup' AND reader = 'wal') THEN
            CONTINUE;
        END IF;
        IF gantry.drop_partition(old.parent, old.child) THEN
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION gantry.outbox_drop_published(interval, timestamptz) IS
    'Drops the days of the ledger that ended longer ago than keep, and past days of wake-ups, if everything in them is published by the proven checkpoint. Returns how many. The relay calls it now and then.';

-- In front of the first slot: a publication that is younger than a slot's position wedges decoding.
CREATE PUBLICATION gantry_outbox FOR TABLE gantry.outbox_message, gantry.outbox_heartbeat
    WITH (publish = 'insert', publish_via_partition_root = true);
COMMENT ON PUBLICATION gantry_outbox IS
    'What the relay''s replication slot streams: new ledger rows and heartbeats, under the names of their root tables. Wake-ups come as logical messages with the prefix gantry.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gantry FROM PUBLIC;
