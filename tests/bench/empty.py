"""What stands below every request: an empty Flask view, and one that commits a row and does nothing else."""

import os
import threading

import psycopg
from flask import Flask, request

INSERT = "INSERT INTO calibration_post (type, input) VALUES (%s, %s)"


def create_app() -> Flask:
    """``/`` answers nothing; ``/commit`` makes one durable row of a JSON body, on its thread's connection."""
    app = Flask("empty")
    mine = threading.local()

    @app.post("/")
    def nothing() -> tuple[str, int]:
        return "", 202

    @app.post("/commit")
    def commit() -> tuple[dict[str, str], int]:
        if not hasattr(mine, "cursor"):
            mine.cursor = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True).cursor()
        asked = request.get_json()
        mine.cursor.execute(INSERT, (asked["type"], str(asked["input"])))
        return {"type": asked["type"]}, 202

    return app
