"""The key tables of the model file cover the records, so that no field's name is the disk format by accident."""

from dataclasses import fields

import pytest

from weaklabel.model import storage
from weaklabel.model.features.end_model import FeatureModel
from weaklabel.model.features.network import Classifier
from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import Gold
from weaklabel.model.params import Calibration, Params
from weaklabel.model.registry import Registered, registered
from weaklabel.model.report.diagnostics import Diagnostics
from weaklabel.model.settings import Settings

NESTED = {
    Fitted: {"params", "calibration", "copies", "diagnostics", "features", "gold", "drift"},
    Calibration: set(storage.CALIBRATED_PARTS.values()),
    FeatureModel: {"classifier"},
    Classifier: {"scaling", "network"},
    Gold: {"small", "large"},
}
"""Fields that are records of their own, or sparse: each has a section, a table or keys for itself."""


@pytest.mark.parametrize("section", storage.SECTIONS, ids=lambda section: section.record.__name__)
def test_each_field_of_a_record_has_a_key(section: storage.Section) -> None:
    known = {entry.field for entry in section.entries.values()} | NESTED.get(section.record, set())
    if section is storage.FITTED:
        known |= {entry.field for entry in storage.HEADER.values()}
    assert set(section.record._fields) == known
    assert len({entry.field for entry in section.entries.values()}) == len(section.entries)


def test_each_record_of_a_model_has_a_section() -> None:
    assert set(Classifier._fields) == NESTED[Classifier]
    assert {section.record.__name__ for section in storage.SECTIONS} == {
        *("Fitted", "Calibration", "FeatureModel", "Scaling", "Layer", "Gold", "Correction", "Drift"),
    }
    assert set(storage.PARTS.values()) == set(Params._fields)


@pytest.mark.parametrize("kind", registered(), ids=lambda kind: kind.name)
def test_each_field_of_a_source_model_and_of_a_label_space_has_a_key(kind: Registered) -> None:
    fields_of = [entry.field for entry in kind.entries.values()]
    assert sorted(fields_of) == sorted(kind.part._fields)


def test_each_constant_and_each_diagnostic_has_a_key() -> None:
    assert sorted(storage.SETTINGS.values()) == sorted(Settings._fields)
    assert sorted(storage.DIAGNOSTICS.values()) == sorted(field.name for field in fields(Diagnostics))
    assert not storage.RETIRED_SETTINGS & set(storage.SETTINGS)
    assert not storage.RETIRED_DIAGNOSTICS & set(storage.DIAGNOSTICS)


def test_no_key_of_the_file_stands_twice() -> None:
    keys = [section.prefix + key for section in storage.SECTIONS for key in section.entries] + list(storage.COPIES)
    assert len(set(keys)) == len(keys)
