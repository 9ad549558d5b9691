"""Generator `structures`: the crystals that were given, in their order."""

import numpy as np
import pytest

from gen2dft.crystals import CrystalTable
from gen2dft.errors import SnapshotError
from gen2dft.generators import contract
from gen2dft.generators.base import is_latent
from gen2dft.generators.contract import example_request
from gen2dft.generators.snapshot import from_bytes, snapshot_id, to_bytes
from gen2dft.generators.structures import REPEATED, StructuresGenerator, StructuresSettings
from tests.toys import rock_salt, toy_dataset

NAMES = ("a.cif", "b.cif", "sub/c.cif", "d.json[2]")


def crystals():
    salts = [
        rock_salt("K", "Cl", 6.3),
        rock_salt("Na", "F", 4.6) * (2, 1, 1),
        rock_salt("K", "Cl", 6.3) * (1, 2, 1),
        rock_salt("Ba", "S", 6.4),
    ]
    return CrystalTable.from_structures(salts)


def stored():
    return StructuresGenerator.of(NAMES, crystals())


def fitted(**settings):
    frozen = stored()
    generator = StructuresGenerator()
    spec = StructuresSettings(snapshot=snapshot_id(to_bytes(frozen)), **settings)
    generator.fit(toy_dataset(), spec, ["formation_energy"], seed=0, warm_start=frozen)
    return generator


def test_the_contract_holds_as_far_as_nothing_is_generated():
    wanted = example_request(crystals())
    assert not is_latent(fitted())
    contract.require_distinct_draws(fitted(), wanted)
    contract.require_same_draws_after_storage(fitted(), wanted)


def propose(generator):
    return generator.propose(example_request(crystals()), np.random.default_rng(0))


def test_each_crystal_comes_once_in_the_order_given_with_its_file():
    proposal = propose(fitted())
    assert proposal.origins == NAMES
    assert proposal.reasons == (None, None, REPEATED, None)
    assert proposal.remarks == ("", "", "the same crystal as a.cif", "")
    assert proposal.crystals.formulas() == ["Cl1 K1", "F1 Na1", "Ba1 S1"]
    assert proposal.crystals.num_sites.tolist() == [2, 4, 2]


def test_large_cells_are_welcome_unless_max_sites_is_given():
    proposal = propose(fitted(max_sites=3))
    assert proposal.reasons == (None, "too_many_sites", REPEATED, None)
    assert proposal.remarks[1] == "4 sites, and generator.max_sites is 3"


def test_the_limit_holds_after_storage():
    again = from_bytes(to_bytes(fitted(max_sites=3)))
    assert propose(again).reasons[1] == "too_many_sites"


def test_fitting_leaves_the_snapshot_as_it_was_frozen():
    assert to_bytes(fitted()) == to_bytes(stored())


def test_other_names_and_other_crystals_are_other_snapshots():
    other_name = StructuresGenerator.of(("x.cif", *NAMES[1:]), crystals())
    fewer = StructuresGenerator.of(NAMES[:3], crystals().select([0, 1, 2]))
    hashes = {snapshot_id(to_bytes(found)) for found in (stored(), other_name, fewer)}
    assert len(hashes) == 3


def test_it_cannot_be_trained_without_crystals():
    spec = StructuresSettings(snapshot="0" * 16)
    with pytest.raises(SnapshotError, match="gen2dft submit --structures DIR"):
        StructuresGenerator().fit(toy_dataset(), spec, [])
