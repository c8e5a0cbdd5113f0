"""All findings of one scan as one row: missing is a value, never zero."""

import math

import numpy as np
import pytest

from cop_imaging.core import Feature, FeatureSchema, FeatureVector

SCHEMA = FeatureSchema(
    version="1",
    features=(Feature("nodules.count", "1", "nodules"), Feature("bands.volume_ml", "ml", "volume of bands")),
    signs=("nodules", "bands"),
)


def vector(values: list[float]) -> FeatureVector:
    missing = np.full(2, np.nan)
    return FeatureVector(
        SCHEMA, np.array(values), missing, missing, {"nodules": 0.8, "bands": None}, {"nodules": True, "bands": False}
    )


def test_a_value_is_found_by_its_dotted_name():
    assert vector([3.0, 12.5])["bands.volume_ml"] == 12.5


def test_a_missing_value_is_none_in_the_dict_and_nan_in_the_row():
    seen = vector([3.0, math.nan])
    assert seen.as_dict() == {"nodules.count": 3.0, "bands.volume_ml": None}
    assert math.isnan(seen.as_row().loc[0, "bands.volume_ml"])
    assert math.isnan(seen.as_series()["bands.volume_ml"])


def test_the_row_tells_what_could_not_be_looked_for():
    row = vector([3.0, math.nan]).as_row()
    assert list(row.columns)[:2] == list(SCHEMA.names)
    assert bool(row.loc[0, "nodules.assessable"]) is True
    assert bool(row.loc[0, "bands.assessable"]) is False
    assert row.loc[0, "nodules.score"] == 0.8
    assert math.isnan(row.loc[0, "bands.score"])


def test_a_vector_of_another_length_than_its_schema_is_refused():
    with pytest.raises(ValueError, match="2 features"):
        vector([1.0])


def test_the_schema_digest_changes_with_what_a_column_means_and_not_with_its_wording():
    def schema(name: str = "nodules.count", unit: str = "1", means: str = "nodules") -> str:
        return FeatureSchema("1", (Feature(name, unit, means),), ("nodules",)).digest

    assert schema(means="number of nodules") == schema()
    assert len({schema(), schema(name="nodules.total"), schema(unit="percent")}) == 3
