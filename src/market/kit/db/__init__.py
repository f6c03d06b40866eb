"""PostgreSQL: bounded connections, one pool, re-entrant transactions, migrations."""
