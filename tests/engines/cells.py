"""What the engines' scripts share: cells in, scores out. Numbers travel as the hexadecimal digits of their 64 bits.

A cell is null, a text, {"bits": …} for a double, {"integer": …} or {"decimal": …}.
"""

import decimal
import json
import struct


def double(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def bits(number):
    return struct.pack(">d", number).hex()


def value(cell):
    """A cell as Python has it."""
    if not isinstance(cell, dict):
        return cell
    if "bits" in cell:
        return double(cell["bits"])
    if "decimal" in cell:
        return decimal.Decimal(cell["decimal"])
    return int(cell["integer"])


def rows(job):
    return [[value(cell) for cell in row] for row in job["rows"]]


def quoted(name, quote):
    return quote + name.replace(quote, quote + quote) + quote


def definition(job, types, quote='"'):
    """The columns of CREATE TABLE: an id, then those of the job."""
    columns = [f"{quoted(column['name'], quote)} {types[column['type']]}" for column in job["columns"]]
    return ", ".join([f"{quoted('id', quote)} {types['integer']}", *columns])


def scores(names, found, job):
    """The rows that a query gave, in the order of their ids; `names` are its columns."""
    given = ["id", *(column["name"] for column in job["columns"])]
    if list(names[: len(given)]) != given:
        raise ValueError(f"the query gives {names}, not first {given}")
    prefix, count = job["prefix"], len(given)
    place = {name: i for i, name in enumerate(names) if i >= count}
    reasons = [place[f"{prefix}reason_{i}"] for i in range(1, 5)]
    parts = [place[f"{prefix}points_{name}"] for name in job["features"]]
    return [
        {
            "points": bits(row[place[f"{prefix}points"]]),
            "score": row[place[f"{prefix}score"]],
            "pd": bits(row[place[f"{prefix}pd"]]),
            "grade": row[place[f"{prefix}grade"]],
            "reasons": [row[i] for i in reasons if row[i] is not None],
            "parts": [bits(row[i]) for i in parts],
        }
        for row in sorted(found, key=lambda row: row[0])
    ]


def run(path, work):
    """Runs every job of a file and prints a line for each: its rows, or its error."""
    with open(path, encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        try:
            answer = {"rows": work(job)}
        except Exception as error:  # the test says whether an error was expected
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, ensure_ascii=False), flush=True)
