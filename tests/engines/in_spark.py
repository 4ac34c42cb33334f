"""Runs exported queries in Spark SQL, in local mode."""

import sys
import tempfile

import cells
from pyspark.sql import SparkSession
from pyspark.sql import types

TYPES = {
    "double": types.DoubleType(),
    "text": types.StringType(),
    "integer": types.LongType(),
    "decimal": types.DecimalType(30, 6),
}

session = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.warehouse.dir", tempfile.mkdtemp(prefix="yuxin-spark-"))
    .getOrCreate()
)
session.sparkContext.setLogLevel("OFF")


def work(job):
    columns = [("id", "integer"), *((column["name"], column["type"]) for column in job["columns"])]
    schema = types.StructType([types.StructField(name, TYPES[kind]) for name, kind in columns])
    rows = [[i, *row] for i, row in enumerate(cells.rows(job))]
    session.createDataFrame(rows, schema).createOrReplaceTempView(job["table"])
    answer = session.sql(open(job["document"], encoding="utf-8").read())
    return cells.scores(answer.columns, [tuple(row) for row in answer.collect()], job)


cells.run(sys.argv[1], work)
