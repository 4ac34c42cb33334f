"""Scores rows by exported PMML documents with JPMML-Evaluator, after validating them against the standard's schema.

The schema is the one in JPMML's jar: that of the standard with additions of JPMML's own, whose names begin with `x-`. Those are
taken out before anything is validated.
"""

import glob
import importlib.util
import io
import os
import sys
import zipfile

import cells
import jpype
from lxml import etree

XSD = "{http://www.w3.org/2001/XMLSchema}"
# Found, not imported: importing it would need pandas.
PACKAGE = os.path.dirname(importlib.util.find_spec("jpmml_evaluator").origin)
JARS = sorted(glob.glob(f"{PACKAGE}/resources/*.jar") + glob.glob(f"{PACKAGE}/dependencies/*.jar"))


def schema():
    (jar,) = [jar for jar in JARS if os.path.basename(jar).startswith("pmml-model-") and "metro" not in jar]
    tree = etree.parse(io.BytesIO(zipfile.ZipFile(jar).read("pmml.xsd")))
    for element in list(tree.iter(f"{XSD}attribute", f"{XSD}enumeration")):
        if (element.get("name") or element.get("value") or "").startswith("x-"):
            element.getparent().remove(element)
    return etree.XMLSchema(tree)


jpype.startJVM(classpath=JARS)
SCHEMA = schema()


def argument(value):
    if isinstance(value, float):
        return jpype.JDouble(value)
    return jpype.JInt(value) if isinstance(value, int) else value


def evaluator(path):
    builder = jpype.JClass("org.jpmml.evaluator.LoadingModelEvaluatorBuilder")()
    return builder.load(jpype.JClass("java.io.File")(path)).build().verify()


def work(job):
    SCHEMA.assertValid(etree.parse(job["document"], etree.XMLParser(huge_tree=True)))
    model, prefix = evaluator(job["document"]), job["prefix"]
    names = [column["name"] for column in job["columns"]]
    answers = []
    for row in cells.rows(job):
        arguments = jpype.JClass("java.util.LinkedHashMap")()
        for name, value in zip(names, row):
            arguments.put(name, argument(value))
        found = {str(key): value for key, value in model.evaluate(arguments).items()}
        reasons = [found.get(f"{prefix}reason_{i}") for i in range(1, 5)]
        answers.append(
            {
                "points": cells.bits(float(found[f"{prefix}points"])),
                "score": int(found.get(f"{prefix}score", 0)),
                "pd": cells.bits(float(found.get(f"{prefix}pd", 0.0))),
                "grade": str(found.get(f"{prefix}grade", "")),
                "reasons": [str(reason) for reason in reasons if reason is not None],
                "parts": [],
            }
        )
    return answers


cells.run(sys.argv[1], work)
