"""An archive holds all of a campaign, says what it holds, and is the same for the same campaign."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from pymatgen.core import Structure

from gen2dft.errors import ArchiveError, OutputError, StoreError
from gen2dft.exchange.archive import from_line
from gen2dft.exchange.credits import PAPERS, Credits, papers_of
from gen2dft.exchange.export import STILL_RUNNING, Choice, export_campaign
from gen2dft.store.store import Store
from tests.exchange.conftest import everything


def test_the_manifest_tells_size_and_hash_of_every_file(archive: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        manifest = json.loads(files.read("manifest.json"))
        assert set(files.namelist()) == {*manifest["files"], "manifest.json"}
        for name, entry in manifest["files"].items():
            assert entry == {
                "size": len(files.read(name)),
                "sha256": hashlib.sha256(files.read(name)).hexdigest(),
            }


def test_every_hit_is_there_as_cif_and_in_the_table(
    archive: Path, finished: Store, campaign_id: str
) -> None:
    hits = {hit.candidate_id: hit for hit in finished.hits(campaign_id)}
    assert hits
    with zipfile.ZipFile(archive) as files:
        cifs = [name for name in files.namelist() if name.startswith("cif/")]
        rows = list(csv.DictReader(io.StringIO(files.read("hits.csv").decode())))
        formulas = sorted(
            Structure.from_str(files.read(n).decode(), "cif").reduced_formula for n in cifs
        )
    assert formulas == sorted(hit.formula for hit in hits.values())
    assert {row["id"]: float(row["formation_energy (eV/atom)"]) for row in rows} == {
        key: hit.values["formation_energy"] for key, hit in hits.items()
    }


def test_documents_are_those_of_the_store(archive: Path, finished: Store) -> None:
    with zipfile.ZipFile(archive) as files:
        for name in ("rounds", "candidates", "labels", "hits", "snapshots", "hulls"):
            lines = files.read(f"documents/{name}.jsonl").splitlines()
            assert {from_line(line)["_id"] for line in lines} == {
                d["_id"] for d in finished.database[name].find()
            }


def test_the_same_campaign_gives_the_same_bytes(
    archive: Path, finished: Store, campaign_id: str, tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    export_campaign(
        finished, campaign_id, again, Credits(authors=("Curie, Marie",)), Choice(True, True)
    )
    assert again.read_bytes() == archive.read_bytes()


def test_snapshots_and_training_data_only_when_asked_for(
    finished: Store, campaign_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "small.zip"
    export_campaign(finished, campaign_id, path, Credits())
    campaign, (first, *_) = finished.campaign(campaign_id), finished.rounds(campaign_id)
    snapshot = finished.database.snapshots.find_one({"_id": first.snapshot_id})
    with zipfile.ZipFile(path) as files:
        assert not {f"blobs/{campaign.dataset_id}", f"blobs/{snapshot['blob_id']}"} & set(
            files.namelist()
        )
        assert json.loads(files.read("manifest.json"))["left_out"] == ["snapshots", "training data"]


def test_citation_and_licence_name_authors_licence_and_sources(archive: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        citation = yaml.safe_load(files.read("CITATION.cff"))
        licence = files.read("LICENCE.txt").decode()
    assert citation["authors"] == [{"family-names": "Curie", "given-names": "Marie"}]
    assert citation["license"] == "CC-BY-4.0" and "creativecommons.org/licenses/by/4.0" in licence
    assert "Curie, Marie" in licence


def test_the_works_behind_a_campaign_are_cited_once() -> None:
    from example_campaign import spec

    changed = spec().model_dump() | {
        "dataset": {"source": "materials-project", "labels": ["ricci2017"]}
    }
    dois = [paper.doi for paper in papers_of(type(spec()).model_validate(changed))]
    assert len(dois) == len(set(dois))
    assert {
        PAPERS[name].doi for name in ("ftcp", "chgnet", "materials-project", "ricci2017")
    } <= set(dois)


@pytest.mark.parametrize(
    ("source", "works", "others"),
    [
        ("starter", {"materials-project", "ricci2017"}, {"aflow-prototypes"}),
        ("prototypes", {"aflow-prototypes", "chgnet"}, {"materials-project", "ricci2017"}),
    ],
)
def test_the_sets_that_ship_have_credits_of_their_own(
    source: str, works: set[str], others: set[str]
) -> None:
    from example_campaign import spec

    changed = spec().model_dump() | {"dataset": {"source": source}}
    cited = {paper.doi for paper in papers_of(type(spec()).model_validate(changed))}
    assert {PAPERS[name].doi for name in works} <= cited
    assert not {PAPERS[name].doi for name in others} & cited


def test_a_running_campaign_comes_to_rest_in_the_archive(
    finished: Store, campaign_id: str, tmp_path: Path
) -> None:
    before = everything(finished)
    finished.database.campaigns.update_one(
        {}, {"$set": {"state": "running", "lease": {"owner": "somebody"}}}
    )
    try:
        export_campaign(finished, campaign_id, tmp_path / "running.zip", Credits())
    finally:
        finished.database.campaigns.update_one({}, {"$set": {"state": "finished", "lease": {}}})
    with zipfile.ZipFile(tmp_path / "running.zip") as files:
        written = from_line(files.read("documents/campaigns.jsonl"))
    assert (written["state"], written["stop_reason"], written["lease"]) == (
        "finished",
        STILL_RUNNING,
        {},
    )
    assert everything(finished) == before


def test_a_file_that_is_there_is_not_overwritten(
    archive: Path, finished: Store, campaign_id: str
) -> None:
    before = archive.read_bytes()
    with pytest.raises(OutputError, match="is there already; choose another name"):
        export_campaign(finished, campaign_id, archive, Credits())
    assert archive.read_bytes() == before


def test_a_failed_export_leaves_nothing(
    finished: Store, campaign_id: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(
        Store, "get_blob", lambda *_: (_ for _ in ()).throw(StoreError("blob 1 is missing"))
    )
    with pytest.raises(StoreError, match="blob 1 is missing"):
        export_campaign(finished, campaign_id, tmp_path / "new.zip", Credits())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(finished: Store, campaign_id: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*choose another place with -o"):
        export_campaign(finished, campaign_id, tmp_path / "file" / "new.zip", Credits())


def test_an_unknown_licence_names_the_nearest() -> None:
    with pytest.raises(
        ArchiveError, match=r"--licence 'CC-BY-4' is not one of .*Did you mean 'CC-BY-4.0'"
    ):
        Credits(licence="CC-BY-4")
