"""The example plugins install, are found by every list, keep the contracts, and are as short as
they say.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mongomock
import numpy as np
import pytest
import yaml
from example_crystals import example_dataset
from gen2dft.flows import candidates
from gen2dft.flows.candidates import CandidateMaker
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Lattice, Structure

from gen2dft import engines, generators
from gen2dft.campaign import CampaignSpec, LearningSpec, load_campaign, read_generator
from gen2dft.cli.doctor import check_plugins
from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import Engine
from gen2dft.engines.kit import calculate
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.generators.contract import example_request, validate_generator
from gen2dft.plugins import added, registry
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.propose import propose
from gen2dft.rounds.round import Round
from gen2dft.rounds.train import train
from gen2dft.store.store import Store
from gen2dft.testing.engines import EngineSuite
from gen2dft.testing.gates import GateSuite, cscl_like
from gen2dft.testing.generators import GeneratorSuite
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.launchpad.queued import queue_candidates

enable_gridfs_integration()

PLUGINS = Path(__file__).resolve().parents[2] / "examples" / "plugins"
NAMES = {
    "bulk_modulus": "properties",
    "cosine": "engines",
    "emt": "engines",
    "pca": "generators",
    "pyxtal": "generators",
    "rare_earth": "gates",
    "vote": "acquisitions",
}
CU_AU = Structure(Lattice.tetragonal(2.8, 3.8), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples are installed into, each as any package is."""
    folder = tmp_path_factory.mktemp("plugins")
    sources = [shutil.copytree(PLUGINS / name, folder / "source" / name) for name in NAMES]
    options = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(folder / "site"),
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        *options,
        *map(str, sources),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder / "site"


@pytest.fixture
def plugged(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are installed for this process."""
    monkeypatch.syspath_prepend(str(installed))


def load(name: str) -> Any:
    # The registry of this process was read before the examples were installed.
    return registry.__wrapped__(f"gen2dft.{NAMES[name]}")[name.replace("_", "-")]()


def test_there_are_no_others() -> None:
    assert {
        p.name for p in PLUGINS.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))
    } == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_short(name: str) -> None:
    code = (PLUGINS / name / f"gen2dft_{name}.py").read_text().splitlines()
    assert 10 < len([line for line in code if line.strip()]) < 80


@pytest.mark.usefixtures("plugged")
def test_the_doctor_names_them() -> None:
    check = check_plugins()
    assert check.state == "ok"
    for text in (
        "engine cosine (gen2dft-cosine 0.1.0)",
        "engine emt (gen2dft-emt 0.1.0)",
        "generator pca (gen2dft-pca",
        "gate rare-earth (gen2dft-rare-earth",
        "generator pyxtal (gen2dft-pyxtal",
        "acquisition vote (gen2dft-vote",
        "property bulk_modulus (gen2dft-bulk-modulus",
    ):
        assert text in check.detail


@pytest.mark.usefixtures("plugged")
def test_the_doctor_tells_of_one_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gen2dft_emt", None)
    check = check_plugins()
    assert check.state == "warn" and check.remedy
    assert "engine emt of gen2dft-emt 0.1.0: " in check.detail and "pca" not in check.detail


def test_without_plugins_there_are_none() -> None:
    assert {point.name.replace("-", "_") for point in added()}.isdisjoint(NAMES)


def test_the_list_of_presets_shows_the_engine(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    program = "from gen2dft.cli.app import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", program, "presets", "list", "--json"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ("emt", "emt-v1") in {(row["engine"], row["preset"]) for row in json.loads(run.stdout)}


@pytest.fixture
def registered(plugged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example engines can be named."""
    for name, kind in NAMES.items():
        if kind == "engines":
            loader = registry.__wrapped__("gen2dft.engines")[name]
            monkeypatch.setitem(engines.ENGINES, name, loader)


@pytest.mark.usefixtures("registered")
class TestEMT(EngineSuite):
    engine, preset, structure = "emt", "emt-v1", CU_AU

    def test_ordering_copper_and_gold_gains_energy(self, loaded: Engine) -> None:
        ordered = loaded.relax(CU_AU, "emt-v1")
        composition = ordered.structure.composition
        assert ordered.converged
        assert loaded.formation_energy(composition, ordered.energy_per_atom) < 0


@pytest.mark.usefixtures("registered")
class TestCosine(EngineSuite):
    engine, preset, structure = "cosine", "cosine-v1", toys.rock_salt("Na", "Cl", 5.6)

    def test_documents_name_the_package(self, loaded: Engine) -> None:
        doc = calculate("static", loaded, "cosine-v1", self.structure)
        assert doc.versions == {"gen2dft-cosine": "0.1.0"}
        assert doc.values == {"band_gap": pytest.approx(2.23)}

    def test_its_jobs_name_it_for_workers_that_lack_it(self, loaded: Engine) -> None:
        assert makers_of(loaded, "cosine-v1").relax.package == "gen2dft-cosine 0.1.0"

    def test_a_gas_without_a_radius_is_refused(self, loaded: Engine) -> None:
        with pytest.raises(CalculationFailed, match="element_not_supported: an element of Ar1"):
            loaded.static(Structure(Lattice.cubic(4), ["Ar"], [[0, 0, 0]]), "cosine-v1")


@pytest.mark.usefixtures("registered", "toy_plugins")
def test_the_bands_of_the_engine_become_a_power_factor_in_a_label(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enable_gridfs_integration()
    wanted = {"property": "power_factor", "min": 0.1}
    spec = CampaignSpec.model_validate({
        **toys.TOY_CAMPAIGN,
        "targets": [*toys.TOY_CAMPAIGN["targets"], wanted],
        "validation": {"engine": "cosine", "preset": "cosine-v1"},
    })  # fmt: skip
    store, dataset = Store(mongomock.MongoClient(tz_aware=True)["test"]), toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    queue_candidates(context, {"salt": toys.rock_salt("K", "Cl", 6.3)})
    monkeypatch.setattr(candidates, "open_round", lambda *_: context)
    monkeypatch.chdir(tmp_path)
    flow = CandidateMaker.of_campaign(context).make(context, "salt")
    run_locally(
        flow, store=JobStore(MemoryStore()), log=False, create_folders=True, raise_immediately=True
    )
    (label,) = store.labels(campaign.id)
    assert label.engine == "cosine"
    assert label.values["band_gap"] == pytest.approx(3.16 - 0.82)
    (kept,) = store.from_bands(campaign.id)
    assert label.values["power_factor"] == kept.values["power_factor"] > 0.1
    assert kept.converged
    assert label.provenance["versions"] == {"gen2dft-cosine": "0.1.0"}


@pytest.mark.usefixtures("plugged")
def test_the_generator_keeps_its_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "pca", lambda: load("pca"))
    dataset, generator = example_dataset(), load("pca")()
    spec = read_generator({"name": "pca", "latent_dim": 8, "holdout": 0.2})
    result = generator.fit(dataset, spec, ("formation_energy",), seed=1)
    assert result.num_train + result.num_heldout == len(dataset) and result.num_heldout > 0
    assert result.heldout["formation_energy"].mae is not None
    validate_generator(generator, dataset.crystals)


SALTS = example_dataset().crystals.select(np.arange(12))  # LiH, LiO, LiF, LiCl, NaH, ...


@pytest.fixture
def pyxtal_named(plugged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator can be named in campaign files of this process."""
    monkeypatch.setitem(generators.GENERATORS, "pyxtal", lambda: load("pyxtal"))


@pytest.mark.usefixtures("pyxtal_named")
@pytest.mark.skipif(importlib.util.find_spec("pyxtal") is None, reason="pyxtal is not installed")
class TestPyxtal(GeneratorSuite):
    @pytest.fixture
    def generator(self, pyxtal_named: None) -> Any:
        return drawing(["LiF", "NaCl", "K2O"])

    @pytest.fixture
    def table(self) -> CrystalTable:
        return SALTS

    def test_crystals_have_the_formulas_and_are_symmetric(self, generator: Any) -> None:
        drawn = generator.propose(example_request(SALTS), np.random.default_rng(0))
        assert set(drawn.crystals.formulas()) == {"F1 Li1", "Cl1 Na1", "K2 O1"}
        groups = [s.get_space_group_info()[1] for s in drawn.crystals.structures()]
        assert len(groups) > 10 and min(groups) >= 16

    def test_what_the_campaign_does_not_allow_is_counted(self) -> None:
        request = example_request(SALTS)
        reasons = {
            reason: drawing([formula]).propose(limits, np.random.default_rng(0)).reasons
            for formula, reason, limits in (
                ("CsBr", "foreign_element", request),
                ("LiNaCl2", "number_of_elements", request),
                ("Li2O", "too_many_sites", replace(request, max_sites=2)),
            )
        }
        assert reasons == {reason: (reason,) * 20 for reason in reasons}


def drawing(formulas: list[str]) -> Any:
    """The generator with those formulas, in orthorhombic and higher systems."""
    generator = load("pyxtal")()
    keys = {"name": "pyxtal", "formulas": formulas, "space_groups": [16, 230]}
    generator.fit(example_dataset(), read_generator(keys), (), seed=0)
    return generator


@pytest.mark.usefixtures("pyxtal_named")
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("formula: [NaCl]", r"generator\.formula: unknown key of generator 'pyxtal'; .*'formulas'"),
        ("volume_factor: 2", r"generator\.formulas: is missing"),
        ("formulas: []", r"generator\.formulas: must have 1 entries or more"),
        ("formulas: [Na+]", r"generator\.formulas: .*is an invalid formula"),
        ("formulas: [Xq2]", r"generator\.formulas: 'Xq2' must name elements and whole numbers"),
        ("formulas: [Na0.5Cl]", r"generator\.formulas: 'Na0\.5Cl' must name elements and whole"),
        ("formulas: [NaCl], attempts: 0", r"generator\.attempts: .*greater than 0"),
        (
            "formulas: [NaCl], space_groups: [9, 300]",
            r"generator\.space_groups\.1: .*or equal to 230",
        ),
    ],
)
def test_wrong_settings_of_the_random_crystals_are_refused(keys: str, message: str) -> None:
    file = str(PLUGINS / "pyxtal" / "campaign.yaml")
    generator = yaml.safe_load(f"{{name: pyxtal, {keys}}}")
    with pytest.raises(CampaignError, match=message):
        load_campaign(file, {"generator": generator})


@pytest.mark.usefixtures("pyxtal_named")
@pytest.mark.parametrize("name", ["campaign.yaml", "beside-ftcp.yaml"])
def test_the_campaigns_of_the_random_crystals_are_valid(name: str) -> None:
    spec = load_campaign(str(PLUGINS / "pyxtal" / name))
    source = spec.sources[-1]
    assert (source.name, source.label) == ("pyxtal", "pyxtal")
    assert sum(source.share for source in spec.sources) == pytest.approx(1)


@pytest.mark.usefixtures("plugged")
@pytest.mark.skipif(
    importlib.util.find_spec("gen2dft.loop.acquisition") is None,
    reason="this version has no registry of acquisitions",
)
def test_the_acquisition_prefers_what_most_members_think_best() -> None:
    from gen2dft.loop.acquisition import Beliefs

    members = np.zeros((3, 20))
    members[0, :2], members[1, :2], members[2, 1:3] = 5.0, 5.0, 5.0
    beliefs = Beliefs(merit=np.linspace(1.0, 0.0, 20), members=members, chance=np.ones(20))
    values = load("vote")(beliefs, LearningSpec(), np.random.default_rng(0))
    assert values.shape == (1, 20) and values[0].argmax() == 1
    assert load("vote")(
        Beliefs(np.zeros(0), np.zeros((1, 0)), np.zeros(0)),
        LearningSpec(),
        np.random.default_rng(0),
    ).shape == (
        1,
        0,
    )


@pytest.mark.usefixtures("plugged")
class TestTheGateKeepsItsContract(GateSuite):
    @pytest.fixture
    def gate(self) -> Any:
        gate = load("rare_earth")
        return gate(gate.Settings(max_fraction=0.4))

    @pytest.fixture
    def crystals(self) -> CrystalTable:
        return cscl_like([("Na", "Cl"), ("La", "N"), ("Sc", "Y"), ("Lu", "O"), ("Hf", "O")])


@pytest.fixture
def gated(plugged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaign files of this process may name the gate."""
    monkeypatch.setitem(registry("gen2dft.gates"), "rare-earth", lambda: load("rare_earth"))


def spec_with(gate: dict[str, Any]) -> CampaignSpec:
    """A campaign of toys, which know no lanthanides: other elements are scarce here."""
    screening = {**toys.TOY_CAMPAIGN["screening"], "gates": [{"rare-earth": gate}, "default"]}
    return CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "screening": screening})


@pytest.fixture
def gated_round(gated: None, toy_plugins: None) -> Round:
    """The first round of a campaign with the gate."""
    store, dataset = Store(mongomock.MongoClient(tz_aware=True)["test"]), toys.toy_dataset()
    spec = spec_with({"max_fraction": 0.1, "elements": ["Rb", "Ba"]})
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    return Round(store, campaign.id, 0)


def test_the_funnel_counts_what_the_gate_stops(gated_round: Round) -> None:
    train(gated_round)
    propose(gated_round)
    stages = {stage.stage: stage for stage in gated_round.document.funnel}
    assert list(stages)[1:4] == ["invert", "rare-earth", "geometry"]
    stopped = stages["rare-earth"].reasons["too_much_rare_earth"]
    rejected = gated_round.store.candidates(
        gated_round.campaign_id, state="rejected:too_much_rare_earth"
    )
    formulas = [doc.formula or "" for doc in rejected]
    assert stopped == len(formulas) > 0
    assert all("Rb" in formula or "Ba" in formula for formula in formulas)
    assert stages["rare-earth"].package == "gen2dft-rare-earth 0.1.0"
    assert stages["geometry"].package is None


def test_a_worker_without_the_gate_says_what_to_install(
    gated_round: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gated_round.campaign.packages == {"gate rare-earth": "gen2dft-rare-earth 0.1.0"}
    monkeypatch.delitem(registry("gen2dft.gates"), "rare-earth")
    with pytest.raises(CampaignError, match=r"begun with gen2dft-rare-earth 0\.1\.0 \(gate rare-"):
        _ = gated_round.spec


@pytest.mark.usefixtures("gated")
@pytest.mark.parametrize(("settings", "message"), [
    ({"max_fracton": 0.2}, "max_fracton: unknown key; did you mean 'max_fraction'"),
    ({"max_fraction": 1.2}, "less than or equal to 1"),
    ({"elements": ["Ln"]}, "element 'Ln' is not one of .* Did you mean"),
])  # fmt: skip
def test_wrong_settings_of_the_gate_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec_with(settings)
