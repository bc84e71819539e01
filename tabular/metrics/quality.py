"""SDMetrics' QualityReport and DiagnosticReport, by its own library, as plain numbers.

Source: SDMetrics, DataCebo, https://docs.sdv.dev/sdmetrics. The quality is the mean of the column shapes (one less the
Kolmogorov-Smirnov statistic of numbers and times, one less the total variation distance of categories) and of the
column pair trends (correlations and contingency tables); the diagnosis asks whether values are valid at all.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from ecgsynth.errors import DataError, require

from ..encoding.canonical import canonical
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["MOST", "quality"]

MOST = 50_000  # rows: as many as SDMetrics itself takes; it would draw them with numpy's global generator
TABLE = "table"  # SDMetrics' reports are of several tables, each with a name


def quality(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """What both reports say of ``synthetic`` beside ``real``, each 0 to 1, 1 is best; None where they say nothing.

    quality: SDMetrics' overall score. column_shapes, column_pair_trends: its two parts. Of the pairs, SDMetrics counts
    only those that are associated in the real table (its thresholds); column_pair_trends_all is the mean of all pairs.
    diagnostic: the overall score of the other report; data_validity, data_structure: its two parts.
    shapes, trends, validity: the same of each column and pair. DataError for a table without rows.
    """
    if not len(real) or not len(synthetic):
        raise DataError(f"two tables with rows are needed, got {len(real)} and {len(synthetic)} rows")
    reports = require("sdmetrics.reports", "measuring the quality of a table")
    metadata = metadata_of(real, schema)
    pair = ({TABLE: told(real, schema)}, {TABLE: told(synthetic, schema)})
    report = generated(reports.QualityReport(), pair, metadata)
    parts = scores(report.get_properties(), "Property")
    trends = report.get_details("Column Pair Trends")
    every = reports.QualityReport()
    every.real_correlation_threshold = every.real_association_threshold = 0
    all_trends = generated(every, pair, metadata).get_details("Column Pair Trends")
    diagnosis = generated(reports.DiagnosticReport(), pair, metadata)
    checked = scores(diagnosis.get_properties(), "Property")
    return {
        "sdmetrics": require("sdmetrics", "measuring the quality of a table").__version__,
        "rows_real": len(real),
        "rows_synthetic": len(synthetic),
        "quality": known(report.get_score()),
        "column_shapes": parts["Column Shapes"],
        "column_pair_trends": parts["Column Pair Trends"],
        "column_pair_trends_all": known(np.nanmean(all_trends["Score"])) if all_trends["Score"].notna().any() else None,
        "pairs": int((trends["Meets Threshold?"] == True).sum()),  # noqa: E712 (a nullable column)
        "pairs_all": len(all_trends),
        "diagnostic": known(diagnosis.get_score()),
        "data_validity": checked["Data Validity"],
        "data_structure": checked["Data Structure"],
        "shapes": scores(report.get_details("Column Shapes"), "Column"),
        "trends": [
            {"columns": [one, other], "measure": measure, "score": known(score)}
            for one, other, measure, score in all_trends[["Column 1", "Column 2", "Metric", "Score"]].itertuples(
                index=False
            )
        ],
        "validity": scores(diagnosis.get_details("Data Validity"), "Column"),
    }


def generated(report: Any, pair: tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]], metadata: Any) -> Any:
    """The report, made without a word."""
    with warnings.catch_warnings():
        # SDMetrics warns of constant columns and of its own dependencies' future; its scores say all that matters.
        warnings.simplefilter("ignore")
        report.generate(*pair, metadata, verbose=False)
    return report


def told(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The table as SDMetrics takes it: times as datetime64, identifiers as they are in the user's table."""
    found = canonical(frame, schema)
    for column in schema.columns:
        sdtype = kind_of(column).sdtype
        if sdtype == "datetime":
            unit = column.unit or "s"
            found[column.name] = pd.to_datetime(found[column.name], unit=unit).astype("datetime64[ns]")
        elif sdtype == "id" and column.name in frame:
            found[column.name] = frame[column.name].astype(object).to_numpy()
    return found


def metadata_of(real: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """SDMetrics' description of the table; identifiers that are unique among the real rows are keys."""
    columns, keys = {}, []
    for column in schema.columns:
        sdtype = kind_of(column).sdtype
        if sdtype == "id":
            if column.name not in real:
                continue
            keys += [column.name] if real[column.name].is_unique else []
        columns[column.name] = {"sdtype": sdtype}
    table: dict[str, Any] = {"columns": columns}
    if keys:
        table |= {"primary_key": keys[0], "alternate_keys": keys[1:]}
    return {"tables": {TABLE: table}, "relationships": []}


def scores(table: pd.DataFrame, by: str) -> dict[str, float | None]:
    """The scores of one of SDMetrics' tables by the name in its column ``by``."""
    return {str(name): known(score) for name, score in zip(table[by], table["Score"], strict=True)}


def known(value: Any) -> float | None:
    """A number, or None where there is none."""
    return None if value is None or pd.isna(value) else float(value)
