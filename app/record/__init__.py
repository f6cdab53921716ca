"""What is known: the only room with SQL. Tables, sessions, and one module of named queries per question family."""
