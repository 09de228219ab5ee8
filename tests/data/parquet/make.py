#!/usr/bin/env python3
"""Writes the small Parquet files beside it, the same forty articles by the writers of others: needs pandas, pyarrow, duckdb and polars."""

import datetime
import os

import duckdb
import polars
import pyarrow
import pyarrow.parquet

os.chdir(os.path.dirname(os.path.abspath(__file__)))
ARTICLES = [
    {
        "id": n,
        "headline": None if n % 5 == 0 else f"Report {n}",
        "content": f"The envoys met {n % 7} times and fixed no date.",
        "published": datetime.datetime(2026, 11, n % 28 + 1, 8, 30),
        "tags": ["a", "b"][: n % 3],
    }
    for n in range(40)
]
table = pyarrow.Table.from_pylist(ARTICLES)
write = pyarrow.parquet.write_table
write(table, "arrow-snappy.parquet", compression="snappy", row_group_size=15)
write(table, "arrow-gzip.parquet", compression="gzip", data_page_version="2.0")
write(table, "arrow-none.parquet", compression="none", use_dictionary=False, use_deprecated_int96_timestamps=True, version="1.0")
delta = {"headline": "DELTA_BYTE_ARRAY", "content": "DELTA_LENGTH_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"}
write(table, "arrow-delta.parquet", compression="none", use_dictionary=False, column_encoding=delta)
polars.DataFrame(ARTICLES).write_parquet("polars.parquet")
articles = table
duckdb.sql("select * from articles").write_parquet("duckdb.parquet")
