-- Schema 1 of the store's database. Times are seconds since 1970, durations
-- microseconds, digests 32 bytes, keys 64 hex digits.
CREATE TABLE realisations (
    key TEXT PRIMARY KEY,
    content_key TEXT,
    package TEXT NOT NULL,
    kind TEXT NOT NULL,
    output TEXT NOT NULL CHECK (output IN ('blob', 'tree', 'passed')),
    digest BLOB,
    name TEXT,
    module TEXT,
    log BLOB,
    level TEXT NOT NULL,
    epoch INTEGER,
    took INTEGER NOT NULL,
    facts TEXT NOT NULL,
    parts TEXT NOT NULL,
    inputs BLOB NOT NULL,
    made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX realisations_by_content ON realisations (content_key);

CREATE TABLE durations (
    package TEXT NOT NULL,
    kind TEXT NOT NULL,
    took INTEGER NOT NULL
);
CREATE INDEX durations_by_package ON durations (package, kind);

-- What `why` compares with; outlives the realisation itself.
CREATE TABLE successes (
    package TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    parts TEXT NOT NULL,
    PRIMARY KEY (package, kind)
) WITHOUT ROWID;

-- Under which names a blob was fetched.
CREATE TABLE blob_names (
    digest BLOB NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    file_name TEXT NOT NULL,
    PRIMARY KEY (digest, project, version)
) WITHOUT ROWID;

CREATE TABLE memories (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;

CREATE TABLE roots (
    link TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    steps TEXT NOT NULL,
    made INTEGER NOT NULL
) WITHOUT ROWID;
