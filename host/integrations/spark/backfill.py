#!/usr/bin/env python3
"""Raw payloads in Parquet -> tables of records in Parquet, on a Spark cluster or on this computer.

    spark-submit backfill.py RAW OUT
    python3 backfill.py RAW OUT --master 'local[4]' --kind reading --kind alarm

RAW: a file or folder of Parquet with a column `payload` of bytes. What else it has (node, received_at, fcnt, ...) goes
along. OUT/<kind>: rows of that kind, columns and units of judder.decode_batch. OUT/bad: rows whose payload does not
decode, as they were, with the reason. Every row of RAW is in one of those, or of a kind not asked for. The last line
says how many went where. Every worker needs Python 3.11 and judder[batch].
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

PAYLOAD, ERROR = "payload", "error"
KINDS = ("reading", "alarm", "hello", "ack", "spectrum", "capture", "command", "unknown")


def decoder(kind: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For DataFrame.mapInArrow: the columns that came, but for the payload, then those of the kind, then the error.

    As many rows as came, in their order. A row of another kind has nulls in the kind's columns, and its own `kind`.
    """

    def decoded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from judder import decode_batch

        for batch in batches:
            table, errors = decode_batch(batch.column(PAYLOAD), kind=kind)
            reasons: list[str | None] = [None] * batch.num_rows
            for row, error in errors:
                reasons[row] = str(error)
            names = [name for name in batch.schema.names if name != PAYLOAD]
            yield pa.RecordBatch.from_arrays(
                [*(batch.column(name) for name in names), *table.columns, pa.array(reasons, pa.string())],
                names=[*names, *table.schema.names, ERROR],
            )

    return decoded


def refused(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """For DataFrame.mapInArrow: rows whose payload does not decode, with the error."""
    from judder import decode_batch

    for batch in batches:
        errors = decode_batch(batch.column(PAYLOAD))[1]
        bad = batch.take(pa.array([error.row for error in errors], pa.int64()))
        reasons = pa.array([str(error.error) for error in errors], pa.string())
        yield pa.RecordBatch.from_arrays([*bad.columns, reasons], names=[*bad.schema.names, ERROR])


def check(raw: dict[str, str], kind: str) -> None:
    """raw: name -> Spark's type of each column. SystemExit where there is no payload, or names would stand twice."""
    from judder.decode.batch import batch_schema

    if raw.get(PAYLOAD) != "binary":
        sys.exit(f"RAW has no column '{PAYLOAD}' of bytes, but {', '.join(f'{name} ({raw[name]})' for name in raw)}")
    twice = sorted((set(raw) - {PAYLOAD}) & {ERROR, *batch_schema(kind).names})
    if twice:
        sys.exit(f"RAW has columns named as those of a {kind}: {', '.join(twice)}; rename them first")


def schema_of(raw: object, kind: str) -> object:
    """Spark schema of what decoder(kind) gives. raw: the DataFrame."""
    from pyspark.sql import types as t

    from judder.decode.batch import batch_schema

    types = {
        pa.string(): t.StringType(),
        pa.int32(): t.IntegerType(),
        pa.int64(): t.LongType(),
        pa.float64(): t.DoubleType(),
        pa.bool_(): t.BooleanType(),
        pa.binary(): t.BinaryType(),
        pa.list_(pa.string()): t.ArrayType(t.StringType()),
    }
    carried = [field for field in raw.schema.fields if field.name != PAYLOAD]
    made = [t.StructField(field.name, types[field.type]) for field in batch_schema(kind)]
    return t.StructType([*carried, *made, t.StructField(ERROR, t.StringType())])


def session(master: str | None) -> object:
    """master: None on a cluster, where spark-submit says it. A local one listens on the loopback interface only."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("judder backfill")
    if master is not None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.master(master)
        for name, value in (
            ("spark.driver.host", "127.0.0.1"),
            ("spark.driver.bindAddress", "127.0.0.1"),
            ("spark.ui.enabled", "false"),
        ):
            builder = builder.config(name, value)
    return builder.getOrCreate()


def run(spark: object, raw_path: str, out: str, kinds: list[str], mode: str) -> dict[str, int]:
    """Rows written by folder of OUT, and of "raw"."""
    from pyspark.sql import types as t

    raw = spark.read.parquet(raw_path)
    for kind in kinds:  # before anything is written
        check(dict(raw.dtypes), kind)
    for kind in kinds:
        records = raw.mapInArrow(decoder(kind), schema_of(raw, kind))
        records.where(records.kind == kind).drop(ERROR).write.mode(mode).parquet(f"{out}/{kind}")
    bad = t.StructType([*raw.schema.fields, t.StructField(ERROR, t.StringType())])
    raw.mapInArrow(refused, bad).write.mode(mode).parquet(f"{out}/bad")
    return {"raw": raw.count()} | {name: spark.read.parquet(f"{out}/{name}").count() for name in (*kinds, "bad")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw")
    parser.add_argument("out")
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be given again (default: reading)")
    parser.add_argument("--master", help="as 'local[4]': no cluster, four threads on this computer")
    parser.add_argument("--overwrite", action="store_true", help="replace folders of an earlier run")
    given = parser.parse_args()
    kinds = list(dict.fromkeys(given.kind or ["reading"]))
    try:
        from pyspark.errors import PySparkException
    except ImportError as error:
        sys.exit(f"pyspark is missing ({error}): pip install 'judder[spark]'")
    try:
        spark = session(given.master)
    except PySparkException as error:
        sys.exit(f"Spark does not start ({first_line(error)}); is there a Java, 17 or newer?")
    try:
        rows = run(spark, given.raw, given.out, kinds, "overwrite" if given.overwrite else "error")
    except PySparkException as error:
        sys.exit(f"{first_line(error)} (--overwrite replaces what is there)")
    finally:
        spark.stop()
    print(", ".join(f"{name}: {count}" for name, count in rows.items()))


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


if __name__ == "__main__":
    main()
