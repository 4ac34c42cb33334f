"""Scores rows by exported PMML documents with PMML4S."""

import glob
import importlib.util
import os
import sys

import cells
import jpype

# Found, not imported: importing it would start a gateway of its own.
PACKAGE = os.path.dirname(importlib.util.find_spec("pypmml").origin)
jpype.startJVM(classpath=sorted(glob.glob(f"{PACKAGE}/jars/*.jar")))


def argument(value):
    return jpype.JDouble(value) if isinstance(value, float) else value


def work(job):
    model, prefix = jpype.JClass("org.pmml4s.model.Model").fromFile(job["document"]), job["prefix"]
    names = [column["name"] for column in job["columns"]]
    answers = []
    for row in cells.rows(job):
        arguments = jpype.JClass("java.util.HashMap")()
        for name, value in zip(names, row):
            arguments.put(name, argument(value))
        found = {str(key): value for key, value in model.predict(arguments).items()}
        reasons = [found.get(f"{prefix}reason_{i}") for i in range(1, 5)]
        answers.append(
            {
                "points": cells.bits(float(found[f"{prefix}points"])),
                "score": int(found[f"{prefix}score"]),
                "pd": cells.bits(float(found[f"{prefix}pd"])),
                "grade": str(found[f"{prefix}grade"]),
                "reasons": [str(reason) for reason in reasons if reason is not None],
                "parts": [],
            }
        )
    return answers


cells.run(sys.argv[1], work)
