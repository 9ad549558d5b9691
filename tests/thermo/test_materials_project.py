"""The whole hull of the Materials Project ships, under its hash, and says what it rests on."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
import yaml
from pymatgen.core import Composition

from gen2dft.campaign import parse_campaign
from gen2dft.errors import StoreError
from gen2dft.ground.hulls import campaign_hull, screen_hull
from gen2dft.thermo import materials_project
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_check import self_test
from gen2dft.thermo.materials_project import HASH, NAME, packed, whole_hull
from gen2dft.thermo.scales import MATERIALS_PROJECT


def test_it_holds_the_compounds_that_the_starter_set_lacks() -> None:
    hull = whole_hull()
    assert hull.scale == MATERIALS_PROJECT
    assert hull.num_entries > 40_000
    assert self_test(hull) == 1000
    # Measured against bare elements Li3AlP2 was taken for stable, far below its neighbours.
    products = {product.composition for product in hull.decomposition(Composition("Li3AlP2"))}
    assert products == {(("Li", 3), ("P", 1)), (("Al", 1), ("P", 1))}


def test_products_add_up_to_the_composition_and_its_energy() -> None:
    hull = whole_hull()
    for formula in ("NaTiO3", "LiZnSb", "Mg3Sb2Te", "Si", "KBaBi"):
        composition = Composition(formula)
        products = hull.decomposition(composition)
        assert sum(product.share for product in products) == pytest.approx(1)
        energy = sum(product.share * product.formation_energy for product in products)
        assert energy == pytest.approx(hull.hull_energy(composition), abs=1e-6)
        for symbol, amount in composition.fractional_composition.get_el_amt_dict().items():
            held = sum(product.share * fraction(product, symbol) for product in products)
            assert held == pytest.approx(amount)


def fraction(product, symbol: str) -> float:
    counts = dict(product.composition)
    return counts.get(symbol, 0) / sum(counts.values())


def test_a_phase_of_its_own_replaces_one_of_the_mixed_scale() -> None:
    lead_telluride = (("Pb", 1), ("Te", 1))
    hull = whole_hull()
    assert lead_telluride in hull.mixed
    (product,) = hull.decomposition(Composition("PbTe"))
    assert product.is_mixed
    joined = hull.joined_by([{"Pb": 1, "Te": 1}], [-0.6])
    assert lead_telluride not in joined.mixed
    above = hull.joined_by([{"Pb": 1, "Te": 1}], [-0.1])
    assert lead_telluride in above.mixed


def test_a_known_compound_can_be_judged_as_if_it_were_new() -> None:
    hull, composition = whole_hull(), Composition("PbTe")
    assert hull.without(composition).hull_energy(composition) > hull.hull_energy(composition)


def test_the_scale_of_a_phase_survives_storage() -> None:
    hull = ReferenceHull.build([{"A": 1, "B": 1}], [-1.0], mixed=[{"B": 1, "A": 1}])
    again = ReferenceHull.from_bytes(hull.to_bytes())
    assert again.mixed == hull.mixed == {(("A", 1), ("B", 1))}
    plain = ReferenceHull.build([{"A": 1, "B": 1}], [-1.0])
    assert b"mixed" not in plain.to_bytes()  # hulls of one scale keep the hashes that they had


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (packed(ReferenceHull.build([{"A": 1}], [0.0])), f"not {HASH}, which this version ships"),
        (gzip.compress(b"{}"), "is not a gen2dft hull or is damaged"),
        (b"broken", "cannot be read"),
    ],
)
def test_another_file_is_refused(
    content: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / materials_project.FILE).write_bytes(content)
    monkeypatch.setattr(materials_project.resources, "files", lambda _: tmp_path)
    with pytest.raises(StoreError, match=re.escape(problem)):
        whole_hull.__wrapped__()


def campaign(**hull: str):
    content = {
        "name": "whole",
        "targets": [{"property": "e_above_hull", "max": 0.03}],
        "dataset": {"source": "prototypes"},
        "hull": {"source": NAME, **hull},
        "sampling": [{"method": "local", "num_points": 10}],
    }
    return parse_campaign(yaml.safe_dump(content), "a test")


def test_a_campaign_names_it_and_its_screen_uses_it() -> None:
    spec = campaign()
    hull = campaign_hull(spec)
    # The prototypes' energies are a potential's: they do not move the hull.
    assert hull.hull_hash == HASH
    assert screen_hull(spec, hull) is None
