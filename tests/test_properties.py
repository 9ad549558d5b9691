"""Properties are looked up among the built-in ones and a campaign's own."""

import json
import math

import pytest

from gen2dft import property_steps
from gen2dft.errors import DatasetError, PluginMissing
from gen2dft.properties import PROPERTIES, Properties, Property, plugged_step

HARDNESS = Property("hardness", "GPa", "Vickers hardness", "log1p")


def broken():
    raise ImportError("no such library")


def test_built_in_ones_are_known_without_anything():
    known = Properties()
    assert list(PROPERTIES) == list(known)[: len(PROPERTIES)]
    assert known["band_gap"] is PROPERTIES["band_gap"] and "hardness" not in known
    with pytest.raises(KeyError):
        known["hardness"]


def test_own_ones_are_known_beside_them_and_cannot_take_their_names():
    known = Properties([HARDNESS, Property("band_gap", "K", "another gap")])
    assert known["hardness"].axis == "Vickers hardness (GPa)"
    assert known["band_gap"].unit == "eV"
    assert set(known) - set(Properties()) == {"hardness"} and len(known) == len(Properties()) + 1


def test_a_package_that_is_broken_is_named(monkeypatch):
    monkeypatch.setitem(property_steps.STEPS, "size", broken)
    with pytest.raises(PluginMissing, match=r"'size' is computed .*ImportError: no such"):
        plugged_step("size")


def test_two_sets_are_joined_unless_they_contradict_each_other():
    both = Properties([HARDNESS]).joined_by(Properties([Property("density", "g/cm^3", "density")]))
    assert set(both.own) == {"hardness", "density"}
    other = Properties([Property("hardness", "kgf/mm^2", "hardness")])
    with pytest.raises(DatasetError, match=r"'hardness' is in 'GPa' in one .*'kgf/mm\^2'"):
        Properties([HARDNESS]).joined_by(other)


def test_they_are_the_same_if_their_own_ones_are():
    assert Properties([HARDNESS]) == Properties([HARDNESS]) != Properties()
    assert len({Properties([HARDNESS]), Properties([HARDNESS]), Properties()}) == 2


def test_bounds_are_stored_with_a_property_of_ones_own():
    bounded = Property("hardness", "GPa", "hardness", possible=(0.0, math.inf))
    (plain,) = Properties([bounded]).as_plain()
    assert plain["possible"] == [0.0, None]
    assert "probable" not in plain
    json.dumps(plain, allow_nan=False)
    assert Property(**plain) == bounded
