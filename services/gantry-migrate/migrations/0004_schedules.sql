-- Schedules and their fires. Whoever fires inserts the fire's row, keyed by the nominal time, in one
-- transaction with its job or event, so any number of replicas makes exactly one of each.

CREATE TABLE gantry.schedule_shard (
    shard     smallint PRIMARY KEY,
    watermark timestamptz NOT NULL DEFAULT clock_timestamp(),
    revision  bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50);
COMMENT ON TABLE gantry.schedule_shard IS
    'The unit of claiming: a tick and an edit both lock the row of their shard.';
COMMENT ON COLUMN gantry.schedule_shard.shard IS 'Number of the shard, from 0.';
COMMENT ON COLUMN gantry.schedule_shard.watermark IS
    'Every fire of the shard that was due by this time is decided.';
COMMENT ON COLUMN gantry.schedule_shard.revision IS
    'Rises with every edit of a schedule of the shard. A tick computed from an older revision is refused.';

INSERT INTO gantry.schedule_shard (shard) SELECT generate_series(0, 15);

CREATE TABLE gantry.schedule (
    id              uuid PRIMARY KEY DEFAULT gantry.uuid_v7(),
    name            text NOT NULL UNIQUE
                    CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    shard           smallint NOT NULL REFERENCES gantry.schedule_shard,
    owner           text NOT NULL CHECK (owner IN ('builtin', 'file', 'api')),
    spec            text NOT NULL CHECK (length(spec) BETWEEN 1 AND 256),
    dialect         text NOT NULL DEFAULT 'automatic',
    time_zone       text NOT NULL DEFAULT 'UTC',
    jitter          interval NOT NULL DEFAULT '0'
                    CHECK (jitter >= interval '0' AND jitter <= interval '24 hours'),
    catch_up        text NOT NULL DEFAULT 'latest' CHECK (catch_up IN ('none', 'latest', 'all')),
    catch_up_limit  integer NOT NULL DEFAULT 100 CHECK (catch_up_limit BETWEEN 1 AND 1000),
    catch_up_window interval NOT NULL DEFAULT '24 hours'
                    CHECK (catch_up_window >= interval '1 second'),
    data_interval   text NOT NULL DEFAULT 'since_previous'
                    CHECK (data_interval IN ('since_previous', 'previous_day')),
    queue           text,
    topic           text,
    type            text NOT NULL CHECK (length(type) BETWEEN 1 AND 200),
    key             text,
    payload         text,
    max_attempts    integer CHECK (max_attempts >= 1),
    paused          boolean NOT NULL DEFAULT false,
    pause_note      text NOT NULL DEFAULT '',
    armed_from      timestamptz NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT schedule_one_target CHECK ((queue IS NULL) <> (topic IS NULL))
);
CREATE INDEX schedule_by_shard ON gantry.schedule (shard);
COMMENT ON TABLE gantry.schedule IS
    'When a job or an event is made. Change it through gantry.schedule_apply() and gantry.schedule_pause() only: they lock the shard.';
COMMENT ON COLUMN gantry.schedule.id IS 'UUIDv7. A schedule that is deleted and made again gets another.';
COMMENT ON COLUMN gantry.schedule.name IS 'Unique: 1 to 63 of a-z 0-9 -, no - at either end.';
COMMENT ON COLUMN gantry.schedule.shard IS 'Hash of the name.';
COMMENT ON COLUMN gantry.schedule.owner IS
    'Who keeps it: builtin (the scheduler itself), file (scheduler.schedules_file) or api.';
COMMENT ON COLUMN gantry.schedule.spec IS 'Cron expression, macro or @every, as libs/cron reads it.';
COMMENT ON COLUMN gantry.schedule.dialect IS 'automatic, standard (five fields) or seconds (six fields).';
COMMENT ON COLUMN gantry.schedule.time_zone IS 'Name in the IANA zone database.';
COMMENT ON COLUMN gantry.schedule.jitter IS
    'A fire is due up to this much after its nominal time, by a hash of schedule and nominal time.';
COMMENT ON COLUMN gantry.schedule.catch_up IS
    'What happens to fires that are found late: none of them, the latest one, or all up to the limit.';
COMMENT ON COLUMN gantry.schedule.catch_up_limit IS 'For all: how many late fires are made, the newest ones.';
COMMENT ON COLUMN gantry.schedule.catch_up_window IS 'Late fires older than this are never made.';
COMMENT ON COLUMN gantry.schedule.data_interval IS
    'What a fire reports on: since_previous is from the fire before to this one; previous_day is the day before in the schedule''s time zone.';
COMMENT ON COLUMN gantry.schedule.queue IS 'The queue of its jobs; null if it makes events.';
COMMENT ON COLUMN gantry.schedule.topic IS 'The Kafka topic of its events; null if it makes jobs.';
COMMENT ON COLUMN gantry.schedule.type IS 'Type of its jobs or events.';
COMMENT ON COLUMN gantry.schedule.key IS 'Key of its jobs or events, if they have one.';
COMMENT ON COLUMN gantry.schedule.payload IS
    'JSON in which {{name}} stands for a value of the fire; null for an object of all the values.';
COMMENT ON COLUMN gantry.schedule.max_attempts IS 'Attempts of its jobs; null for the queue''s own.';
COMMENT ON COLUMN gantry.schedule.paused IS 'While true, due fires are recorded as skipped.';
COMMENT ON COLUMN gantry.schedule.pause_note IS 'Why it is paused.';
COMMENT ON COLUMN gantry.schedule.armed_from IS
    'Only nominal times after this fire: when it was made, resumed, or its timing was changed.';
COMMENT ON COLUMN gantry.schedule.version IS 'Rises with every edit of this schedule.';
COMMENT ON COLUMN gantry.schedule.created_at IS 'When it was made.';
COMMENT ON COLUMN gantry.schedule.updated_at IS 'When it was last edited.';

CREATE TABLE gantry.fire (
    schedule_id     uuid NOT NULL,
    fire_time       timestamptz NOT NULL,
    outcome         text NOT NULL CHECK (outcome IN ('fired', 'missed', 'skipped', 'failed')),
    reason          text NOT NULL DEFAULT '',
    due_at          timestamptz NOT NULL,
    first_fire_time timestamptz NOT NULL,
    count           bigint NOT NULL DEFAULT 1 CHECK (count >= 1),
    job_id          uuid,
    event_id        text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schedule_id, fire_time)
) PARTITION BY RANGE (fire_time);
COMMENT ON TABLE gantry.fire IS
    'What became of every due time. Its key is what makes a fire happen once.';
COMMENT ON COLUMN gantry.fire.schedule_id IS 'The schedule, which may be deleted by now.';
COMMENT ON COLUMN gantry.fire.fire_time IS 'The nominal time, before jitter.';
COMMENT ON COLUMN gantry.fire.outcome IS
    'fired: a job or event was made. missed: found too late for the catch-up policy. skipped: left out on purpose. failed: the job or event was refused.';
COMMENT ON COLUMN gantry.fire.reason IS 'Why it did not fire, or that daylight saving moved it; else empty.';
COMMENT ON COLUMN gantry.fire.due_at IS 'The nominal time and its jitter.';
COMMENT ON COLUMN gantry.fire.first_fire_time IS
    'The oldest nominal time that this row stands for; fire_time itself unless count is above 1.';
COMMENT ON COLUMN gantry.fire.count IS
    'How many due times this row stands for: a run of misses is one row. At most 10,000 are counted.';
COMMENT ON COLUMN gantry.fire.job_id IS 'The job it made.';
COMMENT ON COLUMN gantry.fire.event_id IS 'The ce_id of the event it made.';
COMMENT ON COLUMN gantry.fire.created_at IS 'When it was decided.';

CREATE TABLE gantry.fire_default PARTITION OF gantry.fire DEFAULT;
INSERT INTO gantry.partition_policy (table_name, key_column, key_kind, retention)
VALUES ('fire', 'fire_time', 'time', '30 days');
SELECT gantry.maintain_partitions();

CREATE FUNCTION gantry.schedule_shard_of(of_name text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
RETURN (hashtextextended(of_name, 0) & 15)::smallint;
COMMENT ON FUNCTION gantry.schedule_shard_of(text) IS 'The shard of a schedule''s name.';

CREATE FUNCTION gantry.schedule_lock_shard(of_name text) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mark timestamptz;
BEGIN
    UPDATE gantry.schedule_shard SET revision = revision + 1
    WHERE shard = gantry.schedule_shard_of(of_name)
    RETURNING watermark INTO STRICT mark;
    -- A tick that holds the row has committed by now, so nothing due later is decided.
    RETURN greatest(mark, clock_timestamp());
END
$$;
COMMENT ON FUNCTION gantry.schedule_lock_shard(text) IS
    'Locks the shard of a schedule''s name for an edit, marks it changed, and returns the time from which the edited schedule may fire.';

CREATE FUNCTION gantry.schedule_apply(as_owner text, desired jsonb, prune boolean)
RETURNS TABLE (name text, action text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- wanted is the row as it should be, present the row as it is.
    item     jsonb;
    wanted   gantry.schedule;
    present  gantry.schedule;
    armed    timestamptz;
    retimed  boolean;
BEGIN
    -- Shards are locked in the order of their number, so two appliers cannot deadlock.
    PERFORM FROM gantry.schedule_shard ORDER BY shard FOR NO KEY UPDATE;

    FOR item IN SELECT e FROM jsonb_array_elements(desired) e ORDER BY e ->> 'name' LOOP
        name := item ->> 'name';
        present := NULL;
        SELECT * INTO present FROM gantry.schedule s WHERE s.name = item ->> 'name';
        IF present.id IS NOT NULL AND present.owner <> as_owner
           AND NOT (present.owner = 'builtin' AND as_owner = 'file') THEN
            action := 'kept';
            RETURN NEXT;
            CONTINUE;
        END IF;

        wanted := jsonb_populate_record(present, item);
        wanted.owner := as_owner;
        wanted.shard := gantry.schedule_shard_of(item ->> 'name');
        wanted.paused := coalesce((item ->> 'paused')::boolean, present.paused, false);
        IF present.id IS NULL THEN
            armed := gantry.schedule_lock_shard(item ->> 'name');
            wanted.id := gantry.uuid_v7();
            wanted.pause_note := coalesce(wanted.pause_note, '');
            wanted.armed_from := armed;
            wanted.version := 1;
            wanted.created_at := clock_timestamp();
            wanted.updated_at := wanted.created_at;
            INSERT INTO gantry.schedule SELECT wanted.*;
            action := 'created';
        ELSIF wanted IS DISTINCT FROM present THEN
            armed := gantry.schedule_lock_shard(item ->> 'name');
            retimed := (wanted.spec, wanted.dialect, wanted.time_zone, wanted.jitter)
                       IS DISTINCT FROM (present.spec, present.dialect, present.time_zone, present.jitter);
            IF retimed OR (present.paused AND NOT wanted.paused) THEN
                wanted.armed_from := armed;
            END IF;
            UPDATE gantry.schedule s
            SET owner = wanted.owner, spec = wanted.spec, dialect = wanted.dialect,
                time_zone = wanted.time_zone, jitter = wanted.jitter, catch_up = wanted.catch_up,
                catch_up_limit = wanted.catch_up_limit, catch_up_window = wanted.catch_up_window,
                data_interval = wanted.data_interval, queue = wanted.queue, topic = wanted.topic,
                type = wanted.type, key = wanted.key, payload = wanted.payload,
                max_attempts = wanted.max_attempts, paused = wanted.paused,
                pause_note = CASE WHEN wanted.paused THEN wanted.pause_note ELSE '' END,
                armed_from = wanted.armed_from, version = present.version + 1,
                updated_at = clock_timestamp()
            WHERE s.id = present.id;
            action := 'updated';
        ELSE
            action := 'unchanged';
        END IF;
        RETURN NEXT;
    END LOOP;

    IF prune THEN
        FOR name IN
            SELECT s.name FROM gantry.schedule s
            WHERE s.owner = as_owner
              AND s.name NOT IN (SELECT e ->> 'name' FROM jsonb_array_elements(desired) e)
            ORDER BY s.name
        LOOP
            PERFORM gantry.schedule_lock_shard(name);
            DELETE FROM gantry.schedule s WHERE s.name = schedule_apply.name;
            action := 'deleted';
            RETURN NEXT;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION gantry.schedule_apply(text, jsonb, boolean) IS
    'Makes the schedules of an owner what the JSON array says: creates, updates, leaves alone what is so already and, with prune, deletes the rest of that owner. A schedule of another owner is kept, but a file may take over a builtin one. Each object has every column of gantry.schedule that a user sets; paused may be left out to keep it as it is.';

CREATE FUNCTION gantry.schedule_pause(of_name text, pause boolean, note text DEFAULT '')
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    armed timestamptz := gantry.schedule_lock_shard(of_name);
BEGIN
    UPDATE gantry.schedule s
    SET paused = pause,
        pause_note = CASE WHEN pause THEN coalesce(note, '') ELSE '' END,
        armed_from = CASE WHEN s.paused AND NOT pause THEN armed ELSE s.armed_from END,
        version = s.version + 1,
        updated_at = clock_timestamp()
    WHERE s.name = of_name AND (s.paused <> pause OR s.pause_note <> coalesce(note, ''));
    RETURN EXISTS (SELECT FROM gantry.schedule s WHERE s.name = of_name);
END
$$;
COMMENT ON FUNCTION gantry.schedule_pause(text, boolean, text) IS
    'Pauses or resumes a schedule; false if there is none of that name. A fire is either committed before this or skipped after it. What was due while it was paused does not fire later.';

CREATE FUNCTION gantry.schedule_make(fires jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    WITH planned AS (
        SELECT * FROM jsonb_populate_recordset(NULL::gantry.fire, fires)
    ), decided AS (
        INSERT INTO gantry.fire
            (schedule_id, fire_time, outcome, reason, due_at, first_fire_time, count, job_id, event_id)
        SELECT p.schedule_id, p.fire_time, p.outcome, p.reason, p.due_at, p.first_fire_time, p.count,
               p.job_id, p.event_id
        FROM planned p
        ON CONFLICT DO NOTHING
        RETURNING schedule_id, fire_time, outcome, job_id, event_id
    ), made_now AS (
        SELECT CASE
            WHEN s.queue IS NOT NULL THEN gantry.enqueue(
                queue => s.queue, type => s.type, payload => convert_to(body.payload, 'UTF8'),
                content_type => 'application/json', key => s.key, max_attempts => s.max_attempts,
                id => d.job_id, tags => jsonb_build_object('schedule', s.name),
                source => 'schedule')::text
            ELSE gantry.publish(
                topic => s.topic, key => s.key, type => s.type,
                payload => convert_to(body.payload, 'UTF8'),
                headers => jsonb_build_object('ce_id', d.event_id),
                content_type => 'application/json', source => '/gantry/schedules/' || s.name)::text
            END
        FROM decided d
        JOIN jsonb_to_recordset(fires) body (schedule_id uuid, fire_time timestamptz, payload text)
            USING (schedule_id, fire_time)
        JOIN gantry.schedule s ON s.id = d.schedule_id
        WHERE d.outcome = 'fired'
    )
    SELECT count(*) INTO made FROM made_now m WHERE m IS NOT NULL;
    RETURN made;
END
$$;
COMMENT ON FUNCTION gantry.schedule_make(jsonb) IS
    'Records fires that are not recorded yet, and makes the job or event of each that fired. Returns how many it made.';

CREATE FUNCTION gantry.scheduler_tick(
    of_shard smallint, of_revision bigint, from_watermark timestamptz, upto timestamptz,
    advance boolean, fires jsonb)
RETURNS TABLE (
    status text, watermark timestamptz, revision bigint, at timestamptz, made bigint, refused bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fire jsonb;
BEGIN
    made := 0;
    refused := 0;
    SELECT s.watermark, s.revision INTO watermark, revision
    FROM gantry.schedule_shard s WHERE s.shard = of_shard
    FOR NO KEY UPDATE SKIP LOCKED;
    at := clock_timestamp();
    IF NOT FOUND THEN
        status := 'busy';
    ELSIF revision <> of_revision OR watermark <> from_watermark THEN
        status := 'stale';
    ELSIF EXISTS (SELECT FROM jsonb_array_elements(fires) f WHERE (f ->> 'due_at')::timestamptz > at) THEN
        status := 'early';
    ELSE
        status := 'done';
        BEGIN
            made := gantry.schedule_make(fires);
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR plpgsql_error THEN
                -- One of them is refused. Each by itself, so that it cannot hold up the others.
                FOR fire IN SELECT f FROM jsonb_array_elements(fires) f LOOP
                    BEGIN
                        made := made + gantry.schedule_make(jsonb_build_array(fire));
                    EXCEPTION
                        WHEN data_exception OR integrity_constraint_violation OR plpgsql_error THEN
                            refused := refused + 1;
                            PERFORM gantry.schedule_make(jsonb_build_array(fire || jsonb_build_object(
                                'outcome', 'failed', 'reason', left(SQLERRM, 500),
                                'job_id', NULL, 'event_id', NULL)));
                    END;
                END LOOP;
        END;
        IF advance THEN
            watermark := greatest(watermark, least(upto, at));
            UPDATE gantry.schedule_shard s SET watermark = scheduler_tick.watermark
            WHERE s.shard = of_shard;
        END IF;
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION gantry.scheduler_tick(smallint, bigint, timestamptz, timestamptz, boolean, jsonb) IS
    'One tick of a shard, in one transaction: records the fires computed from a revision and a watermark, makes their jobs and events, and moves the watermark. status: done; busy, another session has the shard; stale, the shard has another revision or watermark by now; early, a fire is not due yet by this server''s clock. Only done changes anything.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gantry FROM PUBLIC;
