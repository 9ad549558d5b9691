import pytest

from gen2dft.errors import ThermoError
from gen2dft.thermo.scales import (
    MATERIALS_PROJECT,
    engine_scale,
    must_share,
    one_engine,
    one_run_type,
)


def test_one_run_type_is_told_and_several_are_refused():
    assert one_run_type(["GGA", "GGA"], "labels") == "GGA"
    assert one_run_type([None, None], "labels") is None
    with pytest.raises(
        ThermoError, match=r"reference phases mix run types GGA and GGA\+U.*mp2020-v1 or noh2019-v1"
    ):
        one_run_type(["GGA+U", "GGA"], "reference phases")


def test_engines_never_mix():
    assert one_engine(["gpaw", "gpaw"], "labels") == "gpaw"
    with pytest.raises(
        ThermoError, match="labels mix engines gpaw and vasp: such energies never share a hull"
    ):
        one_engine(["vasp", "gpaw"], "labels")
    with pytest.raises(ThermoError, match="labels: there is no energy at all"):
        one_engine([], "labels")


def test_a_hull_takes_only_its_own_scale():
    must_share(MATERIALS_PROJECT, [MATERIALS_PROJECT], "labels", "")
    must_share(None, [engine_scale("vasp", "GGA+U")], "labels", "")
    with pytest.raises(
        ThermoError, match=r"labels are on scale 'vasp:GGA\+U' and the hull on 'gpaw:PBE'.*Do this"
    ):
        must_share("gpaw:PBE", [engine_scale("vasp", "GGA+U")], "labels", "Do this")
