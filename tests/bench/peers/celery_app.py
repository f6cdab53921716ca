"""Celery without a database (`bare`), and as people first write it: one commit at a step's start and end."""

import os
from typing import Any

import psycopg
from celery import Celery

from tests.bench import body

NAIVE = os.environ["BENCH_STYLE"].startswith("celery-naive")
app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, task_serializer="json")
SCHEMA = """
    CREATE TABLE IF NOT EXISTS step (run uuid, place int, status text NOT NULL, PRIMARY KEY (run, place));
"""
_connections: dict[int, "psycopg.Connection[Any]"] = {}


def database() -> "psycopg.Connection[Any]":
    """This process's connection; every statement is a transaction."""
    pid = os.getpid()
    if pid not in _connections:
        _connections[pid] = psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True)
    return _connections[pid]


@app.task(name="step")
def step(run: str, place: int, ms: int) -> None:
    """One step of a line."""
    if NAIVE:
        record(run, place, "running")
    body.work(run, place, ms)
    if NAIVE:
        record(run, place, "done")


@app.task(name="member", ignore_result=False)
def member(run: str, place: int) -> int:
    """One member of a fan-out; a chord counts its members by their results."""
    body.work(run, place, 0)
    return place


def record(run: str, place: int, status: str) -> None:
    """Commit what a step has come to."""
    database().execute("UPDATE step SET status = %s WHERE run = %s AND place = %s", (status, run, place))
