-- Jobs. A job is a row; the Kafka record is its wake-up. One insert and one fenced update a job.

CREATE TYPE gantry.job_state AS ENUM (
    'scheduled', 'queued', 'running', 'succeeded', 'retrying', 'dead', 'cancelled',
    'blocked', 'held', 'throttled');
COMMENT ON TYPE gantry.job_state IS
    'Where a job is in its life. scheduled and retrying wait for run_at; queued waits for a worker; running has a lease; succeeded, dead and cancelled are final; blocked waits for other jobs, held for its key, throttled for a limit.';

CREATE TABLE gantry.queue (
    name           text PRIMARY KEY CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    description    text NOT NULL DEFAULT '',
    partitions     integer NOT NULL DEFAULT 8 CHECK (partitions BETWEEN 1 AND 1024),
    max_attempts   integer NOT NULL DEFAULT 20 CHECK (max_attempts BETWEEN 1 AND 1000),
    timeout        interval NOT NULL DEFAULT '5 minutes'
        CHECK (timeout > interval '0' AND timeout <= interval '24 hours'),
    backoff_base   interval NOT NULL DEFAULT '1 second' CHECK (backoff_base > interval '0'),
    backoff_cap    interval NOT NULL DEFAULT '1 hour' CHECK (backoff_cap > interval '0'),
    retention      interval NOT NULL DEFAULT '24 hours' CHECK (retention >= interval '0'),
    dead_retention interval NOT NULL DEFAULT '14 days' CHECK (dead_retention >= interval '0'),
    ordering       text NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'key')),
    paused         boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gantry.queue IS
    'The declared queues. A job for a queue that is not here is refused. Each has a Kafka topic <prefix>.jobs.<name>.';
COMMENT ON COLUMN gantry.queue.name IS '1 to 63 of a-z 0-9 -.';
COMMENT ON COLUMN gantry.queue.description IS 'What it is for.';
COMMENT ON COLUMN gantry.queue.partitions IS 'Partitions of its topic when the relay creates it.';
COMMENT ON COLUMN gantry.queue.max_attempts IS 'Default for jobs that do not say.';
COMMENT ON COLUMN gantry.queue.timeout IS 'Longest time of one try, for jobs that do not say.';
COMMENT ON COLUMN gantry.queue.backoff_base IS
    'First ceiling of the delay after a failure; it doubles with each further one.';
COMMENT ON COLUMN gantry.queue.backoff_cap IS 'Where the ceiling stops.';
COMMENT ON COLUMN gantry.queue.retention IS 'How long succeeded and cancelled jobs are kept.';
COMMENT ON COLUMN gantry.queue.dead_retention IS 'How long dead jobs are kept.';
COMMENT ON COLUMN gantry.queue.ordering IS 'none, or key: one job of a key at a time, in order.';
COMMENT ON COLUMN gantry.queue.paused IS 'True: no worker starts its jobs.';
COMMENT ON COLUMN gantry.queue.created_at IS 'When it was declared.';
INSERT INTO gantry.queue (name, description, partitions) VALUES
    ('default', 'Jobs of any kind', 8),
    ('orders', 'Processing and import of orders', 8),
    ('reports', 'Reports made on a schedule', 2);

-- Finishing a job must stay a HOT update: room in the page, and no index, nor a partial index's
-- predicate, on any column that a job's life changes. What must be found by state has a side table.
CREATE TABLE gantry.job (
    id                  uuid NOT NULL,
    dispatch            bigint NOT NULL DEFAULT 1,
    wake_xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at          timestamptz NOT NULL DEFAULT now(),
    run_at              timestamptz,
    started_at          timestamptz,
    finished_at         timestamptz,
    expires_at          timestamptz,
    state               gantry.job_state NOT NULL DEFAULT 'queued',
    attempt             integer NOT NULL DEFAULT 0,
    max_attempts        integer NOT NULL DEFAULT 20,
    crash_count         integer NOT NULL DEFAULT 0,
    waiting_for         integer NOT NULL DEFAULT 0,
    has_dependents      boolean NOT NULL DEFAULT false,
    timeout             interval,
    retention           interval,
    queue               text NOT NULL,
    type                text NOT NULL,
    key                 text,
    unique_key          text,
    content_type        text NOT NULL DEFAULT 'application/octet-stream',
    source              text NOT NULL DEFAULT 'sql',
    traceparent         text,
    tags                jsonb,
    payload             bytea NOT NULL DEFAULT '',
    error               text,
    history             jsonb,
    result              bytea,
    result_content_type text,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE gantry.job_default PARTITION OF gantry.job DEFAULT WITH (fillfactor = 58);
COMMENT ON TABLE gantry.job IS
    'Every job, partitioned by the day in its UUIDv7. Only the primary key is indexed, so that finishing stays a HOT update.';
COMMENT ON COLUMN gantry.job.id IS 'UUIDv7.';
COMMENT ON COLUMN gantry.job.dispatch IS
    'The fence: rises with every wake-up and every completion, never reset. Whoever does not know its current value can change nothing.';
COMMENT ON COLUMN gantry.job.wake_xid IS
    'The transaction that last woke it, for finding wake-ups whose record was lost.';
COMMENT ON COLUMN gantry.job.created_at IS 'When it was accepted.';
COMMENT ON COLUMN gantry.job.run_at IS 'scheduled and retrying: not before then.';
COMMENT ON COLUMN gantry.job.started_at IS 'When its latest try started.';
COMMENT ON COLUMN gantry.job.finished_at IS 'When it reached its final state.';
COMMENT ON COLUMN gantry.job.expires_at IS 'Not started by then: cancelled.';
COMMENT ON COLUMN gantry.job.state IS 'See gantry.job_state.';
COMMENT ON COLUMN gantry.job.attempt IS 'Tries that counted. A handed-back or snoozed try does not.';
COMMENT ON COLUMN gantry.job.max_attempts IS 'Tries until it is dead.';
COMMENT ON COLUMN gantry.job.crash_count IS 'Workers that died while running it, since it last ended a try.';
COMMENT ON COLUMN gantry.job.waiting_for IS 'blocked: how many jobs it still waits for.';
COMMENT ON COLUMN gantry.job.has_dependents IS 'True: its end must look into gantry.job_dependency.';
COMMENT ON COLUMN gantry.job.timeout IS 'Longest time of one try. NULL: the queue''s.';
COMMENT ON COLUMN gantry.job.retention IS 'How long it is kept after its end. NULL: the queue''s.';
COMMENT ON COLUMN gantry.job.queue IS 'The queue.';
COMMENT ON COLUMN gantry.job.type IS 'Names the handler.';
COMMENT ON COLUMN gantry.job.key IS 'Jobs of one key share a Kafka partition. NULL: its own id is the key.';
COMMENT ON COLUMN gantry.job.unique_key IS 'Its row in gantry.job_unique is freed when it ends.';
COMMENT ON COLUMN gantry.job.content_type IS 'Media type of payload.';
COMMENT ON COLUMN gantry.job.source IS 'Where it came from: api, sql, schedule, hl7 or kafka.';
COMMENT ON COLUMN gantry.job.traceparent IS 'W3C traceparent of who enqueued it.';
COMMENT ON COLUMN gantry.job.tags IS 'Names and values given by the enqueuer, a flat object of strings.';
COMMENT ON COLUMN gantry.job.payload IS 'The handler''s input, untouched.';
COMMENT ON COLUMN gantry.job.error IS 'Why the latest try failed. Never holds payload.';
COMMENT ON COLUMN gantry.job.history IS 'Failed tries, oldest first: [{attempt, at, error}].';
COMMENT ON COLUMN gantry.job.result IS 'The handler''s output.';
COMMENT ON COLUMN gantry.job.result_content_type IS 'Media type of result.';

CREATE TABLE gantry.job_kept (LIKE gantry.job INCLUDING ALL);
COMMENT ON TABLE gantry.job_kept IS
    'Jobs that outlived their partition: scheduled far ahead, blocked, or dead and still retained. A look-up or update that misses in gantry.job tries here. Columns as in gantry.job.';

INSERT INTO gantry.partition_policy (table_name, key_column, key_kind, fill_factor) VALUES
    ('job', 'id', 'uuid_v7', 58);

CREATE TABLE gantry.job_timer (
    run_at   timestamptz NOT NULL,
    job      uuid NOT NULL,
    dispatch bigint NOT NULL,
    PRIMARY KEY (run_at, job)
);
COMMENT ON TABLE gantry.job_timer IS
    'When scheduled and retrying jobs are due. A row whose dispatch is not the job''s is void; the promoter deletes it.';
COMMENT ON COLUMN gantry.job_timer.run_at IS 'Not before then.';
COMMENT ON COLUMN gantry.job_timer.job IS 'The job.';
COMMENT ON COLUMN gantry.job_timer.dispatch IS 'The job''s dispatch when the timer was set.';

CREATE TABLE gantry.job_lease (
    job       uuid PRIMARY KEY,
    dispatch  bigint NOT NULL,
    epoch     bigint NOT NULL DEFAULT 0,
    beat      bigint NOT NULL DEFAULT 0,
    taken_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    partition integer,
    owner     text NOT NULL,
    queue     text NOT NULL,
    topic     text
) WITH (fillfactor = 50);
COMMENT ON TABLE gantry.job_lease IS
    'Who holds a running job. A rescuer takes it after seeing the beat stand still for the lease time on its own clock.';
COMMENT ON COLUMN gantry.job_lease.job IS 'The running job.';
COMMENT ON COLUMN gantry.job_lease.dispatch IS 'The job''s dispatch under which it runs.';
COMMENT ON COLUMN gantry.job_lease.epoch IS 'Epoch of the partition it came from.';
COMMENT ON COLUMN gantry.job_lease.beat IS 'Raised by the owner every 2 s.';
COMMENT ON COLUMN gantry.job_lease.taken_at IS 'When it was taken.';
COMMENT ON COLUMN gantry.job_lease.partition IS 'Kafka partition it came from.';
COMMENT ON COLUMN gantry.job_lease.owner IS 'The worker process that runs it.';
COMMENT ON COLUMN gantry.job_lease.queue IS 'The job''s queue.';
COMMENT ON COLUMN gantry.job_lease.topic IS 'Kafka topic it came from.';

CREATE TABLE gantry.job_dead (
    job     uuid PRIMARY KEY,
    dead_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    queue   text NOT NULL,
    type    text NOT NULL,
    key     text,
    reason  text NOT NULL
);
CREATE INDEX job_dead_queue_dead_at ON gantry.job_dead (queue, dead_at);
COMMENT ON TABLE gantry.job_dead IS 'The dead jobs, for listing and redriving.';
COMMENT ON COLUMN gantry.job_dead.job IS 'The dead job.';
COMMENT ON COLUMN gantry.job_dead.dead_at IS 'When it died.';
COMMENT ON COLUMN gantry.job_dead.queue IS 'Its queue.';
COMMENT ON COLUMN gantry.job_dead.type IS 'Its type.';
COMMENT ON COLUMN gantry.job_dead.key IS 'Its key.';
COMMENT ON COLUMN gantry.job_dead.reason IS
    'Why, in one snake_case word: attempts_exhausted, rejected, worker_crashed, no_handler, bad_payload.';

CREATE TABLE gantry.job_held (
    queue     text NOT NULL,
    key       text NOT NULL,
    partition integer NOT NULL,
    "offset"  bigint NOT NULL,
    job       uuid NOT NULL,
    dispatch  bigint NOT NULL,
    PRIMARY KEY (queue, key, partition, "offset")
);
COMMENT ON TABLE gantry.job_held IS
    'Jobs that wait behind their key''s head, in the order of their records.';
COMMENT ON COLUMN gantry.job_held.queue IS 'The queue.';
COMMENT ON COLUMN gantry.job_held.key IS 'The blocked key.';
COMMENT ON COLUMN gantry.job_held.partition IS 'Kafka partition of its record.';
COMMENT ON COLUMN gantry.job_held."offset" IS 'Kafka offset of its record.';
COMMENT ON COLUMN gantry.job_held.job IS 'The waiting job.';
COMMENT ON COLUMN gantry.job_held.dispatch IS 'Its dispatch when it was held.';

CREATE TABLE gantry.key_block (
    queue      text NOT NULL,
    key        text NOT NULL,
    head       uuid NOT NULL,
    dispatch   bigint NOT NULL,
    blocked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (queue, key)
);
COMMENT ON TABLE gantry.key_block IS
    'Keys whose head failed or is leased: later jobs of the key are held until it is through.';
COMMENT ON COLUMN gantry.key_block.queue IS 'The queue.';
COMMENT ON COLUMN gantry.key_block.key IS 'The key.';
COMMENT ON COLUMN gantry.key_block.head IS 'The only job of the key that may run.';
COMMENT ON COLUMN gantry.key_block.dispatch IS 'The head''s dispatch when the block was set.';
COMMENT ON COLUMN gantry.key_block.blocked_at IS 'Since when.';

CREATE TABLE gantry.job_throttled (
    job         uuid PRIMARY KEY,
    dispatch    bigint NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    queue       text NOT NULL,
    limit_key   text NOT NULL
);
CREATE INDEX job_throttled_limit ON gantry.job_throttled (queue, limit_key, since);
COMMENT ON TABLE gantry.job_throttled IS 'Jobs that wait for a slot or a token of a limit.';
COMMENT ON COLUMN gantry.job_throttled.job IS 'The waiting job.';
COMMENT ON COLUMN gantry.job_throttled.dispatch IS 'Its dispatch when it was throttled.';
COMMENT ON COLUMN gantry.job_throttled.since IS 'Since when.';
COMMENT ON COLUMN gantry.job_throttled.queue IS 'Its queue.';
COMMENT ON COLUMN gantry.job_throttled.limit_key IS 'Which limit of the queue.';

CREATE TABLE gantry.limit_grant (
    queue      text NOT NULL,
    limit_key  text NOT NULL,
    owner      text NOT NULL,
    slots      integer NOT NULL DEFAULT 0,
    tokens     double precision NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (queue, limit_key, owner)
);
COMMENT ON TABLE gantry.limit_grant IS 'Each worker''s share of a concurrency or rate limit.';
COMMENT ON COLUMN gantry.limit_grant.queue IS 'The queue.';
COMMENT ON COLUMN gantry.limit_grant.limit_key IS 'Which limit of the queue.';
COMMENT ON COLUMN gantry.limit_grant.owner IS 'The worker process.';
COMMENT ON COLUMN gantry.limit_grant.slots IS 'Jobs it may run at once.';
COMMENT ON COLUMN gantry.limit_grant.tokens IS 'Starts it may still make.';
COMMENT ON COLUMN gantry.limit_grant.expires_at IS 'The share falls back then.';

CREATE TABLE gantry.job_unique (
    scope      text NOT NULL,
    key        text NOT NULL,
    job        uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, key)
);
COMMENT ON TABLE gantry.job_unique IS
    'Unique keys in use. The end of the job frees its row, in the completion''s transaction.';
COMMENT ON COLUMN gantry.job_unique.scope IS 'Within what the key is unique: the queue''s name.';
COMMENT ON COLUMN gantry.job_unique.key IS 'The unique key.';
COMMENT ON COLUMN gantry.job_unique.job IS 'The job that has it.';
COMMENT ON COLUMN gantry.job_unique.created_at IS 'Since when.';

CREATE TABLE gantry.idempotency (
    principal   text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    answer      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_created_at ON gantry.idempotency (created_at);
COMMENT ON TABLE gantry.idempotency IS
    'Answers to API calls that carried an idempotency key, so that a repeat gets the same answer.';
COMMENT ON COLUMN gantry.idempotency.principal IS 'Whose key it is.';
COMMENT ON COLUMN gantry.idempotency.key IS 'The caller''s key.';
COMMENT ON COLUMN gantry.idempotency.fingerprint IS 'SHA-256 of the request: another request under the key is refused.';
COMMENT ON COLUMN gantry.idempotency.answer IS 'What the first call was answered: a job''s id, or a serialised message.';
COMMENT ON COLUMN gantry.idempotency.created_at IS 'When; kept for 24 hours.';

CREATE TABLE gantry.job_external (
    external_id text NOT NULL,
    source      text NOT NULL,
    job         uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    topic       text NOT NULL,
    PRIMARY KEY (external_id, source)
);
CREATE INDEX job_external_created_at ON gantry.job_external (created_at);
COMMENT ON TABLE gantry.job_external IS
    'CloudEvents that Kafka producers sent as jobs. Kept longer than the topics'' retention, so that a repeated event is known.';
COMMENT ON COLUMN gantry.job_external.external_id IS 'ce_id.';
COMMENT ON COLUMN gantry.job_external.source IS 'ce_source.';
COMMENT ON COLUMN gantry.job_external.job IS 'The job made of it.';
COMMENT ON COLUMN gantry.job_external.created_at IS 'When it arrived.';
COMMENT ON COLUMN gantry.job_external.partition IS 'Kafka partition of the record that made it.';
COMMENT ON COLUMN gantry.job_external."offset" IS
    'Its offset. The same record read again is the job''s own wake-up, another record a duplicate.';
COMMENT ON COLUMN gantry.job_external.topic IS 'Its topic.';

CREATE TABLE gantry.job_dependency (
    child  uuid NOT NULL,
    parent uuid NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX job_dependency_child ON gantry.job_dependency (child);
COMMENT ON TABLE gantry.job_dependency IS 'Which unfinished jobs a blocked job waits for.';
COMMENT ON COLUMN gantry.job_dependency.child IS 'The waiting job.';
COMMENT ON COLUMN gantry.job_dependency.parent IS 'The job it waits for.';

CREATE TABLE gantry.job_partition (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    epoch       bigint NOT NULL DEFAULT 0,
    slots       integer NOT NULL DEFAULT 0,
    clean       boolean NOT NULL DEFAULT true,
    owner       text NOT NULL DEFAULT '',
    assigned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE gantry.job_partition IS
    'Which worker has which Kafka partition. Completions check under FOR SHARE that the epoch is still theirs.';
COMMENT ON COLUMN gantry.job_partition.topic IS 'The jobs topic.';
COMMENT ON COLUMN gantry.job_partition.partition IS 'Its partition.';
COMMENT ON COLUMN gantry.job_partition.epoch IS 'Rises with every assignment.';
COMMENT ON COLUMN gantry.job_partition.slots IS
    'How many jobs the owner runs at once: so many suspects after a crash.';
COMMENT ON COLUMN gantry.job_partition.clean IS
    'False while assigned; true once the owner gave it back with everything finished or leased.';
COMMENT ON COLUMN gantry.job_partition.owner IS 'The worker process that has it.';
COMMENT ON COLUMN gantry.job_partition.assigned_at IS 'Since when.';

CREATE FUNCTION gantry.enqueue(
    queue        text,
    type         text,
    payload      bytea DEFAULT '',
    content_type text DEFAULT 'application/octet-stream',
    key          text DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    run_at       timestamptz DEFAULT NULL,
    timeout      interval DEFAULT NULL,
    unique_key   text DEFAULT NULL,
    traceparent  text DEFAULT NULL,
    id           uuid DEFAULT NULL,
    tags         jsonb DEFAULT NULL,
    source       text DEFAULT 'sql',
    expires_at   timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    declared gantry.queue;
    fault    text;
    job_id   uuid;
    holder   uuid;
    later    boolean := coalesce(run_at > clock_timestamp(), false);
BEGIN
    SELECT * INTO declared FROM gantry.queue q WHERE q.name = enqueue.queue;
    -- Bounds by length() and not by {0,199}: a counted pattern costs a hundred times as much.
    fault := CASE
        WHEN declared.name IS NULL AND (queue IS NULL OR queue !~ '^[a-z0-9-]{1,63}$') THEN
            'queue must be 1 to 63 of a-z 0-9 -'
        WHEN declared.name IS NULL THEN
            'queue is not declared in gantry.queue; declared: '
        WHEN type IS NULL OR length(type) > 200 OR type !~ '^[A-Za-z][A-Za-z0-9._-]*$' THEN
            'type must be 1 to 200 of A-Z a-z 0-9 . _ - and start with a letter'
        WHEN payload IS NULL OR octet_length(payload) > 1048576 THEN
            'payload must be at most 1 MiB (1048576 bytes) and not NULL'
        WHEN content_type IS NULL OR length(content_type) > 255 OR content_type !~ '^[ -~]+$' THEN
            'content_type must be 1 to 255 printable ASCII characters'
        WHEN octet_length(key) NOT BETWEEN 1 AND 255 THEN
            'key must be 1 to 255 bytes, or NULL'
        WHEN max_attempts NOT BETWEEN 1 AND 1000 THEN
            'max_attempts must be 1 to 1000, or NULL for the queue''s'
        WHEN NOT isfinite(run_at) OR run_at > clock_timestamp() + interval '10 years' THEN
            'run_at must be at most 10 years ahead, or NULL'
        WHEN timeout <= interval '0' OR timeout > interval '24 hours' THEN
            'timeout must be more than 0 and at most 24 hours, or NULL for the queue''s'
        WHEN octet_length(unique_key) NOT BETWEEN 1 AND 255 THEN
            'unique_key must be 1 to 255 bytes, or NULL'
        WHEN substr(id::text, 15, 1) <> '7' THEN
            'id must be a version 7 UUID, or NULL'
        WHEN gantry.uuid_v7_time(id) > clock_timestamp() + interval '1 day' THEN
            'id must not be of the future, or NULL'
        WHEN jsonb_typeof(tags) <> 'object' OR octet_length(tags::text) > 8192
             OR jsonb_path_exists(tags, '$.* ? (@.type() != "string")') THEN
            'tags must be a flat JSON object of strings of at most 8 KiB, or NULL'
        WHEN source IS NULL OR length(source) > 32 OR source !~ '^[a-z][a-z0-9_-]*$' THEN
            'source must be 1 to 32 of a-z 0-9 _ - and start with a letter'
        WHEN NOT isfinite(expires_at) OR expires_at <= run_at THEN
            'expires_at must be after run_at, or NULL'
    END;
    IF fault IS NOT NULL THEN
        IF fault LIKE '%declared: ' THEN
            fault := fault || (SELECT coalesce(string_agg(q.name, ', ' ORDER BY q.name), 'none')
                               FROM gantry.queue q);
        END IF;
        RAISE EXCEPTION 'gantry.enqueue: %', fault USING ERRCODE = '22023';
    END IF;
    job_id := coalesce(id, gantry.uuid_v7());

    -- Two callers with one unique key: the later waits for the earlier's commit and gets its job.
    -- The holder may end in between, so look again; each round means that another job has ended.
    WHILE unique_key IS NOT NULL LOOP
        INSERT INTO gantry.job_unique (scope, key, job)
        VALUES (enqueue.queue, enqueue.unique_key, job_id)
        ON CONFLICT ON CONSTRAINT job_unique_pkey DO NOTHING;
        EXIT WHEN FOUND;
        SELECT u.job INTO holder FROM gantry.job_unique u
        WHERE u.scope = enqueue.queue AND u.key = enqueue.unique_key;
        IF FOUND THEN
            RETURN holder;
        END IF;
    END LOOP;

    INSERT INTO gantry.job AS j
        (id, state, run_at, expires_at, max_attempts, timeout, queue, type, key, unique_key,
         content_type, source, traceparent, tags, payload)
    VALUES (job_id,
            CASE WHEN later THEN 'scheduled' ELSE 'queued' END::gantry.job_state,
            CASE WHEN later THEN enqueue.run_at END, enqueue.expires_at,
            coalesce(enqueue.max_attempts, declared.max_attempts), enqueue.timeout,
            enqueue.queue, enqueue.type, enqueue.key, enqueue.unique_key, enqueue.content_type,
            enqueue.source, gantry.valid_traceparent(enqueue.traceparent), enqueue.tags,
            enqueue.payload)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        -- The caller's id is taken: this is a repeat. It must not keep the unique key it just took.
        DELETE FROM gantry.job_unique u
        WHERE u.scope = enqueue.queue AND u.key = enqueue.unique_key AND u.job = job_id
          AND NOT EXISTS (SELECT FROM gantry.job j
                          WHERE j.id = job_id AND j.unique_key = enqueue.unique_key
                            AND j.state NOT IN ('succeeded', 'dead', 'cancelled'));
        RETURN job_id;
    END IF;
    IF later THEN
        INSERT INTO gantry.job_timer (run_at, job, dispatch) VALUES (enqueue.run_at, job_id, 1);
    ELSE
        PERFORM gantry.emit_wakeup(enqueue.queue, job_id, 1, enqueue.key);
    END IF;
    RETURN job_id;
END
$$;
COMMENT ON FUNCTION gantry.enqueue(text, text, bytea, text, text, integer, timestamptz, interval, text, text, uuid, jsonb, text, timestamptz) IS
    'Enqueues a job when, and only when, the calling transaction commits; returns its id. queue: a declared one. type: names the handler. payload: at most 1 MiB. key: jobs of one key share a Kafka partition. max_attempts, timeout: NULL for the queue''s. run_at: not before then. unique_key: while a job of this queue with that key is unfinished, no second is made and the first''s id is returned (above READ COMMITTED, a conflict with a transaction that committed meanwhile is a serialization failure, 40001). id: a version 7 UUID of your own; a repeat with the same id makes no second job. tags: flat JSON object of strings. source: where it came from. expires_at: cancelled if not started by then. traceparent: W3C; ignored if malformed. A parameter that is not allowed is refused with SQLSTATE 22023, and the message names it.';
SELECT gantry.grant_to_producer('EXECUTE ON FUNCTION gantry.enqueue(text, text, bytea, text, text, integer, timestamptz, interval, text, text, uuid, jsonb, text, timestamptz)');

CREATE FUNCTION gantry.enqueue_many(jobs jsonb)
RETURNS TABLE (ordinal integer, id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job     jsonb;
    unknown text;
    body    bytea;
BEGIN
    IF jobs IS NULL OR jsonb_typeof(jobs) <> 'array' OR jsonb_array_length(jobs) > 10000 THEN
        RAISE EXCEPTION 'gantry.enqueue_many: jobs must be a JSON array of at most 10000 objects'
            USING ERRCODE = '22023';
    END IF;
    ordinal := 0;
    FOR job IN SELECT value FROM jsonb_array_elements(jobs) LOOP
        ordinal := ordinal + 1;
        IF jsonb_typeof(job) <> 'object' THEN
            RAISE EXCEPTION 'gantry.enqueue_many: jobs[%] must be an object', ordinal
                USING ERRCODE = '22023';
        END IF;
        SELECT n INTO unknown FROM jsonb_object_keys(job) n
        WHERE n NOT IN ('queue', 'type', 'payload', 'payload_base64', 'content_type', 'key',
                        'max_attempts', 'run_at', 'timeout', 'unique_key', 'traceparent', 'id',
                        'tags', 'expires_at')
        LIMIT 1;
        IF FOUND OR (job ? 'payload' AND job ? 'payload_base64') THEN
            RAISE EXCEPTION 'gantry.enqueue_many: jobs[%] may have queue, type, payload (JSON) or payload_base64, content_type, key, max_attempts, run_at, timeout, unique_key, traceparent, id, tags, expires_at', ordinal
                USING ERRCODE = '22023';
        END IF;
        BEGIN
            body := CASE
                WHEN job ? 'payload' THEN convert_to((job -> 'payload')::text, 'UTF8')
                ELSE decode(coalesce(job ->> 'payload_base64', ''), 'base64') END;
            id := gantry.enqueue(
                queue => job ->> 'queue', type => job ->> 'type', payload => body,
                content_type => coalesce(job ->> 'content_type',
                    CASE WHEN job ? 'payload' THEN 'application/json'
                         ELSE 'application/octet-stream' END),
                key => job ->> 'key', max_attempts => (job ->> 'max_attempts')::integer,
                run_at => (job ->> 'run_at')::timestamptz,
                timeout => (job ->> 'timeout')::interval,
                unique_key => job ->> 'unique_key', traceparent => job ->> 'traceparent',
                id => (job ->> 'id')::uuid, tags => nullif(job -> 'tags', 'null'),
                expires_at => (job ->> 'expires_at')::timestamptz);
        EXCEPTION
            WHEN invalid_parameter_value THEN
                RAISE EXCEPTION 'gantry.enqueue_many: jobs[%]: %', ordinal,
                    replace(SQLERRM, 'gantry.enqueue: ', '') USING ERRCODE = '22023';
            WHEN data_exception THEN
                RAISE EXCEPTION 'gantry.enqueue_many: jobs[%] has a payload_base64, max_attempts, run_at, timeout, id or expires_at of the wrong form', ordinal
                    USING ERRCODE = '22023';
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION gantry.enqueue_many(jsonb) IS
    'gantry.enqueue() for up to 10,000 jobs, all or none. jobs: an array of objects whose members are named as the parameters of gantry.enqueue(); payload is any JSON value, payload_base64 bytes. Returns one row a job, in order, counted from 1.';
SELECT gantry.grant_to_producer('EXECUTE ON FUNCTION gantry.enqueue_many(jsonb)');

CREATE FUNCTION gantry.wakeups_after(checkpoint pg_snapshot)
RETURNS TABLE (queue text, job uuid, dispatch bigint, key text, xid xid8)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT w.queue, w.id, w.dispatch, w.key, w.wake_xid
    FROM (SELECT j.queue, j.id, j.dispatch, j.key, j.wake_xid FROM gantry.job j
          WHERE j.state = 'queued'
          UNION ALL
          SELECT k.queue, k.id, k.dispatch, k.key, k.wake_xid FROM gantry.job_kept k
          WHERE k.state = 'queued') w
    WHERE checkpoint IS NULL OR NOT pg_visible_in_snapshot(w.wake_xid, checkpoint)
    ORDER BY w.wake_xid, w.id;
END;
COMMENT ON FUNCTION gantry.wakeups_after(pg_snapshot) IS
    'For the relay after the loss of its slot: the queued jobs whose wake-up the checkpoint does not hold (all of them for NULL), in the order to publish them. Run it under the new slot''s exported snapshot.';

CREATE FUNCTION gantry.drop_finished_jobs(at timestamptz DEFAULT clock_timestamp())
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old     record;
    busy    boolean;
    dropped integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('gantry.maintain_partitions', 0)) THEN
        RETURN 0;
    END IF;
    FOR old IN SELECT d.child FROM gantry.partition_days('job') d
               WHERE d.ended_at < at - interval '1 day' LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '100ms', true);
            EXECUTE format('LOCK TABLE gantry.%I IN SHARE ROW EXCLUSIVE MODE', old.child);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            CONTINUE;
        END;
        -- Whatever a worker may hold, and whatever ended too recently, delays the drop.
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM gantry.%I j LEFT JOIN gantry.queue q ON q.name = j.queue'
            || ' WHERE j.state IN (''queued'', ''running'', ''held'', ''throttled'')'
            || ' OR (j.state = ''retrying'' AND j.run_at < $1 + interval ''1 day'')'
            || ' OR (j.state IN (''succeeded'', ''cancelled'')'
            || ' AND j.finished_at > $1 - coalesce(j.retention, q.retention, interval ''24 hours'')))',
            old.child) INTO busy USING at;
        IF busy THEN
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format(
                'INSERT INTO gantry.job_kept SELECT j.* FROM gantry.%I j'
                || ' LEFT JOIN gantry.queue q ON q.name = j.queue'
                || ' WHERE j.state IN (''scheduled'', ''retrying'', ''blocked'')'
                || ' OR (j.state = ''dead'''
                || ' AND j.finished_at > $1 - coalesce(q.dead_retention, interval ''14 days''))',
                old.child) USING at;
            EXECUTE format(
                'DELETE FROM gantry.job_dead d USING gantry.%I j WHERE j.id = d.job'
                || ' AND NOT EXISTS (SELECT FROM gantry.job_kept k WHERE k.id = d.job)', old.child);
            IF NOT gantry.drop_partition('job', old.child) THEN
                RAISE EXCEPTION USING ERRCODE = '55P03';  -- undo the move
            END IF;
            dropped := dropped + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            CONTINUE;
        END;
    END LOOP;
    DELETE FROM gantry.job_dead d USING gantry.job_kept k, gantry.queue q
    WHERE k.id = d.job AND q.name = k.queue AND k.state = 'dead'
      AND k.finished_at < at - q.dead_retention;
    DELETE FROM gantry.job_kept k USING gantry.queue q
    WHERE q.name = k.queue
      AND ((k.state = 'dead' AND k.finished_at < at - q.dead_retention)
           OR (k.state IN ('succeeded', 'cancelled')
               AND k.finished_at < at - coalesce(k.retention, q.retention)));
    DELETE FROM gantry.idempotency i WHERE i.created_at < at - interval '24 hours';
    DELETE FROM gantry.job_external e WHERE e.created_at < at - interval '30 days';
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION gantry.drop_finished_jobs(timestamptz) IS
    'Retention: drops the days of gantry.job in which every job''s retention is over, after moving to gantry.job_kept what must stay; forgets expired rows of gantry.job_kept, gantry.idempotency and gantry.job_external. Returns how many days were dropped. A worker calls it now and then.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gantry FROM PUBLIC;
