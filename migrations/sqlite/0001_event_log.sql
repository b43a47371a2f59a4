-- The event log: every event that ever happened, in commit order, chained by hashes. Nothing here is ever updated or deleted
-- but the one row of `head`.

-- Facts about the log itself: its format's version and the installation that it belongs to.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('format_version', '1');

-- The last record, so that a tail that was cut off is missed.
CREATE TABLE head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

INSERT INTO head (id, position, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    schema         INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL, -- microseconds since 1970
    actor          TEXT    NOT NULL, -- 'system' or 'user:<uuid>'
    correlation_id TEXT    NOT NULL,
    causation      INTEGER,          -- the position of the event that led to this one
    payload        TEXT    NOT NULL, -- JSON
    hash           BLOB    NOT NULL, -- SHA-256 of the previous hash and of all columns above
    UNIQUE (stream, version)
) STRICT;

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'an event once written is never changed'); END;
CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'an event once written is never deleted'); END;

-- The audit log, which the API calls events: at most one row for an event, under its position. It can be computed again.
CREATE TABLE audit_log (
    position       INTEGER PRIMARY KEY,
    recorded_at    INTEGER NOT NULL,
    correlation_id TEXT    NOT NULL,
    code           INTEGER NOT NULL,
    severity       INTEGER NOT NULL, -- 0 normal, 1 warning, 2 error, 10 alert
    message        TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    custom_id      INTEGER,
    flood_rate     INTEGER,
    user           BLOB,
    vm             BLOB,
    host           BLOB,
    template       BLOB,
    cluster        BLOB,
    data_center    BLOB,
    storage_domain BLOB
) STRICT;

CREATE INDEX audit_log_recorded_at    ON audit_log (recorded_at);
CREATE INDEX audit_log_code           ON audit_log (code);
CREATE INDEX audit_log_severity       ON audit_log (severity) WHERE severity > 0;
CREATE INDEX audit_log_user           ON audit_log (user)           WHERE user IS NOT NULL;
CREATE INDEX audit_log_vm             ON audit_log (vm)             WHERE vm IS NOT NULL;
CREATE INDEX audit_log_host           ON audit_log (host)           WHERE host IS NOT NULL;
CREATE INDEX audit_log_template       ON audit_log (template)       WHERE template IS NOT NULL;
CREATE INDEX audit_log_cluster        ON audit_log (cluster)        WHERE cluster IS NOT NULL;
CREATE INDEX audit_log_data_center    ON audit_log (data_center)    WHERE data_center IS NOT NULL;
CREATE INDEX audit_log_storage_domain ON audit_log (storage_domain) WHERE storage_domain IS NOT NULL;
