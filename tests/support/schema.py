"""What the tables of Twinlock look like, in words that a person can compare.

usage: python -m support.schema > tests/integration/schema.txt (with src and tests in PYTHONPATH)
"""

import asyncio

import asyncpg
from support.postgres import WHEEL, TestServer, running_server

_COLUMNS = """
SELECT c.relname AS name, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || CASE WHEN a.attidentity = 'a' THEN ' identity' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
       || CASE WHEN a.attstorage <> t.typstorage THEN ' storage ' || a.attstorage::text ELSE '' END
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'twinlock'::regnamespace AND c.relkind = 'r' ORDER BY c.relname, a.attnum
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text AS name, conname || ': ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'twinlock'::regnamespace AND contype <> 'n'
 ORDER BY conrelid::regclass::text, conname
"""
_INDEXES = """
SELECT tablename AS name, indexdef FROM pg_indexes WHERE schemaname = 'twinlock'
 ORDER BY tablename, indexname
"""
_GRANTS = """
SELECT name, privilege FROM (
  SELECT c.relname::text AS name, a.grantee::regrole || ' may ' || lower(a.privilege_type)
    AS privilege
    FROM pg_class c, aclexplode(c.relacl) a
   WHERE c.relnamespace = 'twinlock'::regnamespace AND c.relkind = 'r' AND a.grantee <> c.relowner
  UNION ALL
  SELECT c.relname, a.grantee::regrole || ' may ' || lower(a.privilege_type) || ' ' || t.attname
    FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
   WHERE c.relnamespace = 'twinlock'::regnamespace
  UNION ALL
  SELECT 'schema', a.grantee::regrole || ' may ' || lower(a.privilege_type)
    FROM pg_namespace n, aclexplode(n.nspacl) a
   WHERE n.nspname = 'twinlock' AND a.grantee <> n.nspowner
) AS grants ORDER BY name, privilege
"""
_OTHERS = """
SELECT relname::text AS name, 'kind ' || relkind::text FROM pg_class
 WHERE relnamespace = 'twinlock'::regnamespace AND relkind NOT IN ('r', 'i') ORDER BY relname
"""
_TRIGGERS = """
SELECT g.tgrelid::regclass::text AS name, pg_get_triggerdef(g.oid)
       || CASE WHEN p.prosecdef THEN ' by its owner: ' ELSE ': ' END
       || btrim(regexp_replace(p.prosrc, '\\s+', ' ', 'g'))
  FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
 WHERE p.pronamespace = 'twinlock'::regnamespace AND NOT g.tgisinternal ORDER BY 1, 2
"""
_PARTS = (
    ("columns", _COLUMNS),
    ("constraints", _CONSTRAINTS),
    ("indexes", _INDEXES),
    ("grants", _GRANTS),
    ("others", _OTHERS),
    ("triggers", _TRIGGERS),
)


async def describe(connection: asyncpg.Connection) -> str:
    """Return columns, constraints, indexes, grants and triggers of every table, one a line."""
    lines = []
    for title, sql in _PARTS:
        lines.append(f"# {title}")
        lines += [f"{name}: {text}" for name, text in await connection.fetch(sql)]
    return "\n".join(lines) + "\n"


async def _print(server: TestServer) -> None:
    async with server.database() as database, database.owner() as owner:
        print(await describe(owner), end="")  # noqa: T201 - that is what the program is for


if __name__ == "__main__":
    with running_server(WHEEL) as running:
        asyncio.run(_print(running))
