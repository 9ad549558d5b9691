"""The two-stage flow with the surrogate's two presets, run by jobflow without a queue."""

import math
from dataclasses import replace

import mongomock
import pytest
from example_steps import CRASH, SIZE, SQUARE
from gen2dft.flows import candidates
from gen2dft.flows.candidates import CandidateMaker, expand
from gen2dft.flows.common import priority
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Composition, Structure

from gen2dft import property_steps
from gen2dft.calculation import Calculation
from gen2dft.campaign import CampaignSpec
from gen2dft.errors import CampaignError
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.store import Store, candidate_key
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

KEY = "0123456789abcdef"


def waiting(monkeypatch: pytest.MonkeyPatch, **changes: object) -> Round:
    """A queued rock salt in a campaign of toys, with changes of its file."""
    enable_gridfs_integration()
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, **changes})
    store, dataset = Store(mongomock.MongoClient(tz_aware=True)["test"]), toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    structure = toys.rock_salt("Na", "Cl", 5.8).as_dict()
    store.insert_new(
        CandidateDoc(
            id=candidate_key(campaign.id, KEY),
            campaign_id=campaign.id,
            round_index=0,
            candidate_id=KEY,
            sampler="local",
            parents=[],
            latent_row=0,
            state="queued",
            formula="Na1 Cl1",
            structure=structure,
        )
    )
    context = Round(store, campaign.id, 0)
    monkeypatch.setattr(candidates, "open_round", lambda *_: context)
    return context


def validation(limit: float | None) -> dict:
    """CHGNet with a second stage up to a limit (eV/atom), or without one."""
    refine = (
        None
        if limit is None
        else {"preset": "chgnet-v1", "max_e_above_hull": {"local": limit, "random": -9.0}}
    )
    return {"engine": "mlip", "preset": "chgnet-screen-v1", "refine": refine}


@pytest.mark.usefixtures("toy_plugins")
@pytest.mark.parametrize(("limit", "preset"), [(9.0, "chgnet-v1"), (-9.0, "chgnet-screen-v1")])
def test_the_surrogate_refines_what_lies_near_the_hull(monkeypatch, limit: float, preset: str):
    pytest.importorskip("chgnet")
    context = waiting(monkeypatch, validation=validation(limit))
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(
        flow, store=JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}), log=False
    )
    (label,) = context.store.labels(context.campaign_id)
    assert label.preset == preset
    assert ("first_stage" in label.provenance) == (preset == "chgnet-v1")
    assert context.store.candidate(context.campaign_id, KEY).state in ("labelled", "hit")


@pytest.mark.usefixtures("toy_plugins")
def test_without_a_second_stage_the_flow_is_as_short_as_ever(monkeypatch):
    pytest.importorskip("chgnet")
    context = waiting(monkeypatch, validation=validation(None))
    maker = CandidateMaker.of_campaign(context)
    assert [job.name for job in maker.make(context, KEY).jobs] == [
        "mlip relax",
        "mlip static",
        "ingest",
    ]
    with pytest.raises(CampaignError, match=r"no second stage: validation\.refine is not set"):
        maker.second_stage(context, KEY, None)


@pytest.mark.parametrize("refined", [False, True])
def test_power_factors_are_computed_in_the_last_stage(monkeypatch, tmp_path, banded, refined: bool):
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 9.0} if refined else None
    context = waiting(
        monkeypatch,
        targets=[*toys.TOY_CAMPAIGN["targets"], {"property": "power_factor", "min": 0.01}],
        validation={"engine": "toy", "preset": "toy-v1", "refine": refine},
        transport={"tolerance": 1.0},
    )
    monkeypatch.chdir(tmp_path)
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(
        flow, store=JobStore(MemoryStore()), log=False, create_folders=True, raise_immediately=True
    )
    (label,) = context.store.labels(context.campaign_id)
    assert label.preset == ("toy-fine-v1" if refined else "toy-v1")
    assert label.values["power_factor"] > 0
    (kept,) = context.store.from_bands(context.campaign_id)
    assert (kept.id, kept.mesh, kept.converged) == (label.id, (14, 14, 14), True)
    assert 0 < kept.relative_error < 1


def stepped(monkeypatch: pytest.MonkeyPatch, *names: str, refined: bool = False) -> Round:
    """A queued rock salt in a campaign of toys that asks for the properties of steps."""
    for step in (SIZE, SQUARE, CRASH):
        monkeypatch.setitem(property_steps.STEPS, step.name, lambda step=step: step)
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 9.0} if refined else None
    return waiting(
        monkeypatch,
        targets=[{"property": name, "min": 0.0} for name in names],
        validation={"engine": "toy", "preset": "toy-v1", "refine": refine},
    )


@pytest.mark.parametrize("refined", [False, True])
def test_steps_follow_the_last_static_calculation_each_after_what_it_waits_for(
    monkeypatch, toy_plugins, refined: bool
):
    context = stepped(monkeypatch, "size_squared", refined=refined)
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(flow, store=JobStore(MemoryStore()), log=False)
    (label,) = context.store.labels(context.campaign_id)
    assert label.preset == ("toy-fine-v1" if refined else "toy-v1")
    assert label.values["size_squared"] == pytest.approx(label.values["size"] ** 2) != 0
    assert set(label.provenance["properties"]) == {"size", "size_squared"}


def test_a_step_that_crashes_leaves_the_label_and_a_reason(monkeypatch, toy_plugins):
    context = stepped(monkeypatch, "luck", "size")
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(flow, store=JobStore(MemoryStore()), log=False)
    (label,) = context.store.labels(context.campaign_id)
    assert "luck" not in label.values and label.values["size"] > 0
    assert "no luck: no_result: its calculation left no result" in label.warnings


def test_steps_belong_to_their_candidate(monkeypatch, toy_plugins):
    context = stepped(monkeypatch, "size")
    (step,) = [
        job
        for job in CandidateMaker.of_campaign(context).make(context, KEY).jobs
        if job.name == "volume"
    ]
    assert step.metadata["gen2dft"]["candidate_id"] == KEY
    assert step.config.manager_config["_priority"] == priority({"stage": "validate", "round": 0})


def test_a_worker_that_lacks_a_package_gives_the_candidate_up(monkeypatch, toy_plugins):
    context = stepped(monkeypatch, "size")
    context.spec  # noqa: B018 - read while the package is there
    monkeypatch.delitem(property_steps.STEPS, "size")
    assert expand(context, KEY) is None
    document = context.store.candidate(context.campaign_id, KEY)
    assert document.state == "given_up:plugin_missing"
    assert "pip install it on every worker" in document.failure


def test_a_candidate_is_expanded_once(monkeypatch, toy_plugins):
    context = stepped(monkeypatch, "size")
    flow = expand(context, KEY)
    assert [job.name for job in flow.jobs] == ["toy", "toy static", "volume", "ingest"]
    run_locally(flow, store=JobStore(MemoryStore()), log=False)
    assert expand(context, KEY) is None


def telling(monkeypatch: pytest.MonkeyPatch, **told: object) -> None:
    """Let the toy engine give these fields in its static calculations."""

    def static(structure: Structure, preset: str) -> Calculation:
        return toys.toy_relax(structure, preset).model_copy(update=told)

    monkeypatch.setattr(toys, "TOY_ENGINE", replace(toys.TOY_ENGINE, static=static))


def through_the_flow(monkeypatch: pytest.MonkeyPatch, energy: float = -1.0) -> Round:
    """A candidate after all its calculations; every finite energy meets the target."""
    context = waiting(
        monkeypatch,
        targets=[{"property": "formation_energy", "near": energy, "tolerance": 1e3}],
        screening={"surrogate": {"engine": "toy", "preset": "toy-v1"}},
    )
    flow = CandidateMaker.of_campaign(context).make(context, KEY)
    run_locally(flow, store=JobStore(MemoryStore()), log=False)
    return context


@pytest.mark.parametrize(
    ("told", "reason", "detail"),
    [
        ({"energy_per_atom": math.nan}, "not_finite", "static of NaCl: energy_per_atom came out"),
        ({"energy_per_atom": -60.0}, "implausible_energy", "formation energy of -60.00 eV/atom"),
        ({"energy_per_atom": -2.2}, "implausible_energy", "below the hull; the bound is 1"),
        ({"forces": [[math.nan] * 3] * 2}, "not_finite", "static of NaCl: forces came out"),
        ({"values": {"band_gap": math.nan}}, "not_finite", "static of NaCl: band_gap came out"),
        ({"values": {"band_gap": 99.0}}, "implausible_gap", "a gap of 99.00 eV"),
    ],
)
def test_what_nobody_would_believe_makes_neither_label_nor_hit(
    monkeypatch, toy_plugins, told, reason: str, detail: str
):
    telling(monkeypatch, **told)
    context = through_the_flow(monkeypatch)
    candidate = context.store.candidate(context.campaign_id, KEY)
    assert candidate.state == f"given_up:{reason}"
    assert detail in candidate.failure
    assert candidate.lost_core_hours > 0
    assert list(context.store.labels(context.campaign_id)) == []
    assert list(context.store.hits(context.campaign_id)) == []


@pytest.mark.parametrize(("below", "remarks"), [(0.2, []), (0.5, ["hull_incomplete"])])
def test_a_hit_far_below_the_hull_is_kept_with_a_remark(
    monkeypatch, toy_plugins, below: float, remarks: list[str]
):
    energy = toys.formation_energy(Composition("NaCl")) - below
    telling(monkeypatch, energy_per_atom=energy)
    context = through_the_flow(monkeypatch, energy)
    (hit,) = context.store.hits(context.campaign_id)
    (label,) = context.store.labels(context.campaign_id)
    assert label.values["e_above_hull"] == pytest.approx(-below)
    assert hit.remarks == remarks
    warned = [text for text in label.warnings if text.startswith("hull incomplete: 0.50 eV/atom")]
    assert len(warned) == len(remarks)
