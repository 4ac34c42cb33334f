"""Runs exported queries in SQLite, the one that Python has."""

import sqlite3
import sys

import cells

TYPES = {"double": "REAL", "text": "TEXT", "integer": "INTEGER", "decimal": "NUMERIC"}


def stored(value):
    return str(value) if type(value).__name__ == "Decimal" else value


def work(job):
    connection = sqlite3.connect(":memory:")
    # Older builds with defaults take no more; some distributions do.
    connection.setlimit(sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 100)
    connection.execute(f"CREATE TABLE {cells.quoted(job['table'], chr(34))} ({cells.definition(job, TYPES)})")
    places = ", ".join("?" for _ in range(len(job["columns"]) + 1))
    insert = f"INSERT INTO {cells.quoted(job['table'], chr(34))} VALUES ({places})"
    connection.executemany(insert, [[i, *map(stored, row)] for i, row in enumerate(cells.rows(job))])
    answer = connection.execute(open(job["document"], encoding="utf-8").read())
    return cells.scores([column[0] for column in answer.description], answer.fetchall(), job)


cells.run(sys.argv[1], work)
