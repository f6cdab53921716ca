"""What is known: the only room with SQL: tables, sessions, and named queries by family of questions."""
