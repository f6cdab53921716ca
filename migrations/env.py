"""Runs the migrations on the database that `app.record.migrate` names."""

from alembic import context

from app.record.session import Database
from app.record.tables import metadata

LOCK_KEY = 7_204_811  # Two processes that upgrade at once take turns.

database = Database(context.config.attributes["url"])
with database.engine.connect() as connection:
    batch = database.dialect == "sqlite"  # It cannot alter a column: the table is copied.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=batch)
    with context.begin_transaction():
        if database.dialect == "postgresql":  # For this transaction alone: a pooler lends no session.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        context.run_migrations()
    connection.commit()
database.dispose()
