"""Runs exported queries in DuckDB."""

import sys

import cells
import duckdb

TYPES = {"double": "DOUBLE", "text": "VARCHAR", "integer": "BIGINT", "decimal": "DECIMAL(30, 6)"}


def work(job):
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE {cells.quoted(job['table'], chr(34))} ({cells.definition(job, TYPES)})")
    places = ", ".join("?" for _ in range(len(job["columns"]) + 1))
    insert = f"INSERT INTO {cells.quoted(job['table'], chr(34))} VALUES ({places})"
    for i, row in enumerate(cells.rows(job)):
        connection.execute(insert, [i, *row])
    answer = connection.execute(open(job["document"], encoding="utf-8").read())
    return cells.scores([column[0] for column in answer.description], answer.fetchall(), job)


cells.run(sys.argv[1], work)
