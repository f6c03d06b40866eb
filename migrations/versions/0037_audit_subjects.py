"""Kind and id of an audit entry's subject, like columns; entries can't be updated (see 0036)."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    for name, place in (("subject_type", 1), ("subject_id", 2)):
        op.execute(f"""
            CREATE OR REPLACE FUNCTION {name}(operator_acts) RETURNS text
            LANGUAGE sql IMMUTABLE PARALLEL SAFE
            AS $$ SELECT split_part($1.subject, ' ', {place}) $$
        """)
