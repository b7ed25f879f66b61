"""
The audit log's table takes new rows and nothing else: triggers of the database say so, to our own code and to whoever has its login.

Who may drop a trigger may still tamper; then the hash chain shows it. SQLite forgets triggers when Django rebuilds a table: a migration that
alters AuditEntry ends with `guard`.
"""

from typing import Any

TABLE = "accounts_auditentry"
WORDS = "the audit log is append-only"

SQLITE = {
    "audit_no_update": f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
    "audit_no_delete": f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
}
POSTGRESQL = (
    f"CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$",
    f"CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
)


def guard(connection: Any) -> None:
    unguard(connection)
    with connection.cursor() as cursor:
        for sql in SQLITE.values() if connection.vendor == "sqlite" else POSTGRESQL if connection.vendor == "postgresql" else ():
            cursor.execute(sql)


def unguard(connection: Any, *names: str) -> None:
    """What a tamperer would do first, and a migration back."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in names or SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        elif connection.vendor == "postgresql":
            cursor.execute(f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}")
