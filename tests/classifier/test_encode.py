"""The two kinds of missing reach the network as bits, never as a value."""

import numpy as np
import pytest

from cop_imaging.classifier.encode import encode, encoded_size, known_groups


@pytest.fixture
def values(model, patchy):
    return np.array([[patchy[name] for name in model.schema.names]])


def known_of(schema, values, **blind):
    assessable = {g.sign: np.array([g.sign not in blind]) for g in schema.groups}
    return known_groups(schema, values, assessable)


def test_undefined_and_not_assessable_set_different_bits(model, values):
    schema, k = model.schema, len(model.schema.inputs)
    column = schema.names.index("consolidation.peripheral_to_central")
    undefined = values.copy()
    undefined[:, column] = np.nan
    plain = encode(schema, values, known_of(schema, values))
    empty = encode(schema, undefined, known_of(schema, undefined))
    blind = encode(schema, values, known_of(schema, values, consolidation=True))
    bits, groups = slice(k, -len(schema.groups)), slice(-len(schema.groups), None)
    assert empty[:, bits].sum() == plain[:, bits].sum() + 1
    assert (empty[:, groups] == plain[:, groups]).all()
    assert blind[:, groups].sum() == plain[:, groups].sum() + 2
    assert empty[0, column] == blind[0, column] == 0
    assert plain.shape[1] == encoded_size(schema)


def test_a_missing_extent_makes_its_group_unknown(model, values):
    values[:, model.schema.names.index("ground_glass.extent_percent")] = np.nan
    known = known_of(model.schema, values)[0]
    assert [g.name for g, k in zip(model.schema.groups, known, strict=True) if not k] == ["ground_glass"]


def test_what_is_unknown_cannot_leak_through_its_value(model, values):
    known = known_of(model.schema, values, reversed_halo=True)
    other = values.copy()
    other[:, model.schema.names.index("reversed_halo.count")] = 5.0
    assert np.array_equal(encode(model.schema, values, known), encode(model.schema, other, known))
