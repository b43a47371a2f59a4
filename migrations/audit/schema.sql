-- The audit log, which the API calls events: at most one row for an event, under its position. It is computed from the events: what is
-- deleted here is computed again.

-- How far it is computed, of which installation, and the sum of the checksums of all rows of the other tables, by which damage is found.
CREATE TABLE reached (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    installation BLOB    NOT NULL,
    position     INTEGER NOT NULL,
    checksum     BLOB    NOT NULL
) STRICT;

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
    storage_domain BLOB,
    quota          BLOB
) STRICT;

-- Names that something had and has no more. What an entry is about had the one of these that it lost first behind the entry; where there is
-- none it has the name that it has now.
CREATE TABLE former_name (
    reference INTEGER NOT NULL, -- the kind: 0 user, 1 vm, 2 host, 3 template, 4 cluster, 5 data center, 6 storage domain, 7 quota
    object    BLOB    NOT NULL,
    until     INTEGER NOT NULL, -- the first position whose entry does not have it any more
    position  INTEGER NOT NULL, -- of the event that took it away
    name      TEXT    NOT NULL,
    folded    TEXT    NOT NULL, -- in lower case
    PRIMARY KEY (reference, object, until)
) STRICT, WITHOUT ROWID;

CREATE INDEX former_name_folded   ON former_name (reference, folded, object);
CREATE INDEX former_name_position ON former_name (position);

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
CREATE INDEX audit_log_quota          ON audit_log (quota)          WHERE quota IS NOT NULL;
