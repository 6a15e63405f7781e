"""What the tables have beside their models: triggers, indexes of one vendor, helper tables.

The migration makes it, last. Once released, a change here needs a migration of its own.

To alter a field, Django makes an SQLite table anew, without what is made here (and fails where a
trigger speaks of the table). So a migration that alters the events' or the actors' table has
``RunPython(remove, install)`` before and ``RunPython(install, remove)`` after that.
"""

from __future__ import annotations

from typing import Any

from django_eventstore.backends.database.tables import (
    ACTOR_COLUMNS,
    ACTORS,
    EVENTS,
    RETENTION,
    WRITERS,
)

_WITHOUT_ROWID = "WITHOUT ROWID"
_SQLITE = (
    f"CREATE TABLE {RETENTION} (open integer NOT NULL)",
    f"""
    CREATE TRIGGER eventstore_move_actor AFTER INSERT ON {EVENTS} BEGIN
        INSERT INTO {ACTORS} ({ACTOR_COLUMNS})
        VALUES (NEW.namespace, NEW.actor_id, NEW.version, 1, NEW.timestamp, NEW.timestamp)
        ON CONFLICT (namespace, actor_id) DO UPDATE SET
            last_timestamp = CASE WHEN excluded.version > version
                THEN excluded.last_timestamp ELSE last_timestamp END,
            version = max(version, excluded.version),
            event_count = event_count + 1;
    END
    """,
    f"""
    CREATE TRIGGER eventstore_refuse_update BEFORE UPDATE ON {EVENTS} BEGIN
        SELECT RAISE(ABORT, 'Events are never changed (django-eventstore).');
    END
    """,
    f"""
    CREATE TRIGGER eventstore_refuse_delete BEFORE DELETE ON {EVENTS}
    WHEN NOT EXISTS (SELECT 1 FROM {RETENTION}) BEGIN
        SELECT RAISE(ABORT, 'Events are deleted by prune_events alone (django-eventstore).');
    END
    """,
    f"""
    CREATE INDEX eventstore_event_correlation ON {EVENTS} (namespace, correlation_id, position)
    WHERE correlation_id IS NOT NULL
    """,
)
_SQLITE_BACK = (
    "DROP INDEX eventstore_event_correlation",
    "DROP TRIGGER eventstore_refuse_delete",
    "DROP TRIGGER eventstore_refuse_update",
    "DROP TRIGGER eventstore_move_actor",
    f"DROP TABLE {RETENTION}",
)


_POSTGRESQL = (
    """
    CREATE FUNCTION eventstore_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' AND current_setting('django_eventstore.retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'Events are never changed, and deleted by prune_events alone (%).', TG_OP
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
    END
    $$
    """,
    f"""
    CREATE TRIGGER eventstore_refuse BEFORE UPDATE OR DELETE ON {EVENTS}
    FOR EACH ROW EXECUTE FUNCTION eventstore_refuse()
    """,
    f"""
    CREATE TRIGGER eventstore_refuse_truncate BEFORE TRUNCATE ON {EVENTS}
    FOR EACH STATEMENT EXECUTE FUNCTION eventstore_refuse()
    """,
    # What a reader could not make a datetime of is not stored in the first place.
    f"""
    ALTER TABLE {EVENTS} ADD CONSTRAINT eventstore_event_timestamp CHECK (
        "timestamp" >= '0001-01-01 00:00:00+00' AND "timestamp" < '10000-01-01 00:00:00+00')
    """,
    f"""
    CREATE INDEX eventstore_event_correlation ON {EVENTS} (namespace, correlation_id, position)
    WHERE correlation_id IS NOT NULL
    """,
)
_POSTGRESQL_BACK = (
    "DROP INDEX eventstore_event_correlation",
    f"ALTER TABLE {EVENTS} DROP CONSTRAINT eventstore_event_timestamp",
    f"DROP TRIGGER eventstore_refuse_truncate ON {EVENTS}",
    f"DROP TRIGGER eventstore_refuse ON {EVENTS}",
    "DROP FUNCTION eventstore_refuse()",
)

# The number of a foreign key violation, which Django makes an IntegrityError of.
_MYSQL_REFUSE = "SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1451, MESSAGE_TEXT ="
_MYSQL = (
    f"""
    CREATE TABLE {WRITERS} (
        id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
        connection bigint NOT NULL,
        newest bigint NOT NULL
    ) ENGINE = InnoDB
    """,
    f"""
    CREATE TRIGGER eventstore_refuse_update BEFORE UPDATE ON {EVENTS} FOR EACH ROW
    {_MYSQL_REFUSE} 'Events are never changed (django-eventstore).'
    """,
    f"""
    CREATE TRIGGER eventstore_refuse_delete BEFORE DELETE ON {EVENTS} FOR EACH ROW
    IF @django_eventstore_retention IS NULL THEN
        {_MYSQL_REFUSE} 'Events are deleted by prune_events alone (django-eventstore).';
    END IF
    """,
    f"CREATE INDEX eventstore_event_correlation ON {EVENTS} (namespace, correlation_id, position)",
)
_MYSQL_BACK = (
    f"DROP INDEX eventstore_event_correlation ON {EVENTS}",
    "DROP TRIGGER eventstore_refuse_delete",
    "DROP TRIGGER eventstore_refuse_update",
    f"DROP TABLE {WRITERS}",
)

_STATEMENTS = {
    "sqlite": (_SQLITE, _SQLITE_BACK),
    "postgresql": (_POSTGRESQL, _POSTGRESQL_BACK),
    "mysql": (_MYSQL, _MYSQL_BACK),
}


def install(apps: Any, schema_editor: Any) -> None:
    """Make it (a RunPython of the migration)."""
    if schema_editor.connection.vendor == "sqlite":
        _without_rowid(schema_editor)
    _run(schema_editor, 0)


def remove(apps: Any, schema_editor: Any) -> None:
    """Take it away again."""
    _run(schema_editor, 1)


def _without_rowid(schema_editor: Any) -> None:
    """Make the actors' table anew, as its primary key: SQLite writes a page less per append."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [ACTORS])
        (definition,) = cursor.fetchone()
    if definition.endswith(_WITHOUT_ROWID):
        return
    new = f"{ACTORS}_new"
    for statement in (
        f"{definition.replace(ACTORS, new, 1)} {_WITHOUT_ROWID}",
        f"INSERT INTO {new} SELECT * FROM {ACTORS}",
        f"DROP TABLE {ACTORS}",
        f"ALTER TABLE {new} RENAME TO {ACTORS}",
    ):
        schema_editor.execute(statement, params=None)


def _run(schema_editor: Any, direction: int) -> None:
    for statement in _STATEMENTS.get(schema_editor.connection.vendor, ((), ()))[direction]:
        schema_editor.execute(statement, params=None)
