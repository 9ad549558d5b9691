"""Archives as others might hand them on: a valid one, changed in one place under a manifest that
fits.

Each forgery is a function that changes the files of an archive; `FORGERIES` pairs it with what the
refusal says.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gen2dft.exchange.archive import from_line, to_line
from gen2dft.hashing import content_hash

Files = dict[str, bytes]
Document = dict[str, Any]
Change = Callable[[Files], None]
MANIFEST = "manifest.json"
CAMPAIGNS, ROUNDS, CANDIDATES, LABELS, HITS, HULLS, SNAPSHOTS = (
    f"documents/{name}.jsonl"
    for name in ("campaigns", "rounds", "candidates", "labels", "hits", "hulls", "snapshots")
)


def unpacked(path: Path) -> Files:
    """The files of an archive by name."""
    with zipfile.ZipFile(path) as files:
        return {name: files.read(name) for name in files.namelist()}


def packed(files: Files, path: Path) -> Path:
    """A zip file of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def sealed(files: Files, path: Path, **changed: object) -> Path:
    """An archive whose manifest fits its files, as a forger would make it."""
    manifest = json.loads(files[MANIFEST]) | changed
    members = {name: content for name, content in files.items() if name != MANIFEST}
    manifest["files"] = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    }
    return packed(members | {MANIFEST: json.dumps(manifest).encode()}, path)


def documents_of(files: Files, name: str) -> list[Document]:
    return [from_line(line) for line in files[name].splitlines()]


def _first(name: str, change: Callable[[Document], object]) -> Change:
    """Change the first document of a collection."""

    def changed(files: Files) -> None:
        documents = documents_of(files, name)
        change(documents[0])
        files[name] = b"".join(map(to_line, documents))

    return changed


def _set(name: str, place: str, value: object) -> Change:
    """Set a (dotted) field of the first document of a collection."""

    def change(document: Document) -> None:
        *above, last = place.split(".")
        part: Any = document
        for key in above:
            part = part[int(key)] if isinstance(part, list) else part[key]
        part[int(last) if isinstance(part, list) else last] = value

    return _first(name, change)


def _text_in_a_relaxed_cell(files: Files) -> None:
    """In the verdict on the first candidate that the screen relaxed."""
    candidates = documents_of(files, CANDIDATES)
    relaxed = next(doc for doc in candidates if (doc["surrogate"] or {}).get("structure"))
    relaxed["surrogate"]["structure"]["lattice"]["matrix"][2] = "no such thing"
    files[CANDIDATES] = b"".join(map(to_line, candidates))


def _without(name: str, field: str) -> Change:
    return _first(name, lambda document: document.pop(field))


def _text(name: str, before: bytes, after: bytes) -> Change:
    """Replace a piece of the text of the first document."""

    def change(files: Files) -> None:
        assert before in files[name]
        files[name] = files[name].replace(before, after, 1)

    return change


def _raw(name: str, line: bytes) -> Change:
    """Put a line in the place of the first."""

    def change(files: Files) -> None:
        _, *rest = files[name].splitlines(keepends=True)
        files[name] = b"".join([line + b"\n", *rest])

    return change


def _twice(name: str) -> Change:
    def change(files: Files) -> None:
        first, *_ = files[name].splitlines(keepends=True)
        files[name] += first

    return change


def _blob(name: str, field: str, data: bytes) -> Change:
    """Let a document name other bytes, under their right hash."""

    def change(files: Files) -> None:
        documents = documents_of(files, name)
        del files[f"blobs/{documents[0][field]}"]
        key = content_hash(data, digits=32)
        documents[0][field] = key
        files[f"blobs/{key}"] = data
        files[name] = b"".join(map(to_line, documents))

    return change


def _added(name: str, content: bytes) -> Change:
    return lambda files: files.update({name: content})


def _gone(name: str) -> Change:
    return lambda files: files.pop(name)


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _npz_of(content: bytes) -> bytes:
    """An npz file whose latent points are these bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("latents.npy", content)
        archive.writestr("train_latents.npy", content)
    return buffer.getvalue()


def promise_of_terabytes() -> bytes:
    """The header of an array of 8 TB, and nothing behind it."""
    buffer = io.BytesIO()
    header = {"shape": (10**12,), "fortran_order": False, "descr": "<f8"}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _hull_with(change: Callable[[Document], object]) -> Change:
    def changed(files: Files) -> None:
        (document,) = documents_of(files, HULLS)
        content = json.loads(files[f"blobs/{document['blob_id']}"])
        change(content)
        _blob(HULLS, "blob_id", json.dumps(content).encode())(files)

    return changed


def _renamed(files: Files) -> None:
    """Another name for the campaign, wherever it stands."""
    (campaign,) = documents_of(files, CAMPAIGNS)
    before, after = campaign["_id"].encode(), b"arms-00000000"
    for name in files:
        if name.startswith("documents/") or name == MANIFEST:
            files[name] = files[name].replace(before, after)


def _candidate_of_a_hit_waits(files: Files) -> None:
    hit = documents_of(files, HITS)[0]
    candidates = documents_of(files, CANDIDATES)
    for candidate in candidates:
        if candidate["_id"] == hit["_id"]:
            candidate["state"] = "queued"
    files[CANDIDATES] = b"".join(map(to_line, candidates))


def _label_of_another(files: Files) -> None:
    hits = documents_of(files, HITS)
    hits[0]["label_id"] = hits[1]["label_id"]
    files[HITS] = b"".join(map(to_line, hits))


def _deep(depth: int) -> bytes:
    return b'{"_id": "a", "x": ' + b"[" * depth + b"]" * depth + b"}"


NAN, LARGE = float("nan"), 10**30
SITE = "structure.sites.0"
FORGERIES: dict[str, tuple[Change, str]] = {
    "empty spec": (_set(CAMPAIGNS, "spec", {}), r"not valid \(spec: name: Field required"),
    "spec that is a list": (_set(CAMPAIGNS, "spec", []), r"not valid \(spec: "),
    "spec without rounds": (_set(CAMPAIGNS, "spec.learning", {}), r"spec: learning.rounds"),
    "spec of another version": (
        _set(CAMPAIGNS, "spec.targets.0.nearly", 1),
        "cannot read the archive's campaign",
    ),
    "spec that was changed": (_set(CAMPAIGNS, "spec.seed", 99), "its spec has hash"),
    "another hash of the spec": (_set(CAMPAIGNS, "spec_hash", "0" * 12), "its spec has hash"),
    "another name of the campaign": (_set(CAMPAIGNS, "name", "other"), "its name is 'other'"),
    "campaign under another id": (
        _renamed,
        "by its content it is|does not belong to campaign 'arms-00000000'",
    ),
    "another hash of the data": (_set(CAMPAIGNS, "dataset_hash", "0" * 16), "by its content it is"),
    "running campaign": (_set(CAMPAIGNS, "state", "running"), "not at rest"),
    "campaign with a lease": (_set(CAMPAIGNS, "lease", {"owner": "x"}), "not at rest"),
    "no campaign": (_added(CAMPAIGNS, b""), "it holds none"),
    "two campaigns": (_twice(CAMPAIGNS), "and no other"),
    "state of no campaign": (_set(CAMPAIGNS, "state", "gone"), r"not valid \(state: "),
    "number as text": (_set(LABELS, "energy_per_atom", "-3.5"), "energy_per_atom: Input should be"),
    "truth value as number": (_set(LABELS, "core_hours", True), "core_hours: Input should be"),
    "NaN": (_set(LABELS, "values.formation_energy", NAN), "formation_energy: not a finite"),
    "infinite": (_set(HITS, "values.formation_energy", -np.inf), "formation_energy: not a finite"),
    "NaN as no JSON": (
        _raw(LABELS, b'{"_id": "a", "energy_per_atom": NaN}'),
        "line 1 is no document: NaN is not JSON",
    ),
    "energy of a planet": (_set(LABELS, "energy_per_atom", -1e12), "energy_per_atom of -1e"),
    "hit of other elements": (_set(HITS, "elements", ["He"]), r"its elements is \['He'\], that of"),
    "label of another system": (_set(LABELS, "chemsys", "He-Xe"), "its chemsys is He-Xe, that of"),
    "hit of another round by its number": (
        _set(HITS, "round", 9),
        "its round is 9, but its round_",
    ),
    "hit of no space group": (
        _set(HITS, "symmetry", {"crystal_system": "Cubic", "symbol": "X", "number": 231}),
        "symmetry.number is 231, not 1 to 230",
    ),
    "label of another crystal system": (
        _set(LABELS, "symmetry", {"crystal_system": "Cubic", "symbol": "P1", "number": 1}),
        "its crystal_system is 'Cubic', that of its number 'Triclinic'",
    ),
    "gap beyond all solids": (_set(LABELS, "values.band_gap", 99.0), "band_gap of 99"),
    "energy of no compound": (
        _set(LABELS, "values.formation_energy", -40.0),
        "formation energy of -40.00 eV/atom is outside",
    ),
    "negative cost": (_set(LABELS, "core_hours", -1.0), "core_hours of -1"),
    "any value beyond measure": (_set(LABELS, "values.hardness", 1e30), r"hardness of 1e\+30"),
    "label of another engine": (_set(LABELS, "engine", "vasp"), "does not belong to campaign"),
    "label of no candidate": (_set(LABELS, "candidate_id", "f" * 16), "does not belong to"),
    "label by another hull": (_set(LABELS, "hull_id", "f" * 16), "not among the archive's hulls"),
    "label of a later round": (_set(LABELS, "round_index", 7), "of round 7, which is not in"),
    "no structure": (_set(LABELS, "structure", {}), "structure: lattice.matrix"),
    "flat cell": (
        _set(LABELS, "structure.lattice.matrix", [[1, 0, 0]] * 3),
        "its cell has no volume",
    ),
    "cell that is not finite": (
        _set(LABELS, "structure.lattice.matrix.0", [NAN, 0.0, 0.0]),
        "must be finite",
    ),
    "element that does not exist": (
        _set(HITS, f"{SITE}.species.0.element", "Qq"),
        "its structure cannot be read",
    ),
    "site without a place": (_set(HITS, f"{SITE}.abc", []), "structure: sites.0"),
    "another formula": (_set(HITS, "formula", "C60"), "its crystal is"),
    "label of another hit": (_label_of_another, "is of another candidate"),
    "hit that was not computed": (_candidate_of_a_hit_waits, "its candidate is queued"),
    "hit without a target": (
        _set(HITS, "values", {}),
        "must be of the targets|each value needs one",
    ),
    "hit that repeats nothing": (_set(HITS, "same_as", "f" * 16), "none of the candidates"),
    "relaxed cell of text": (_text_in_a_relaxed_cell, "surrogate.structure: lattice.matrix"),
    "state of no candidate": (_set(CANDIDATES, "state", "flying"), "'flying' is not one of"),
    "rejected for no reason": (_set(CANDIDATES, "state", "rejected"), "carry a reason"),
    "candidate with a path": (_set(CANDIDATES, "candidate_id", "../x"), "does not belong to"),
    "unknown field": (_set(CANDIDATES, "surprise", 1), "surprise: Extra inputs"),
    "missing field": (_without(CANDIDATES, "sampler"), "sampler: Field required"),
    "number beyond 64 bits": (_set(CANDIDATES, "attempts", LARGE), "cannot be stored"),
    "id that is a number": (_raw(CANDIDATES, b'{"_id": 1}'), "is no document"),
    "not an object": (_raw(CANDIDATES, b"[1, 2]"), "is no document"),
    "key that occurs twice": (
        _raw(CANDIDATES, b'{"_id": "a", "_id": "b"}'),
        "'_id' occurs twice",
    ),
    "nested without end": (_raw(CANDIDATES, _deep(100_000)), "is no document"),
    "code": (_raw(CANDIDATES, b'{"_id": "a", "x": {"$where": "1"}}'), "'.where' is not allowed"),
    "text of half a character": (
        _text(CANDIDATES, b'"sampler": "', b'"sampler": "\\ud800'),
        "sampler|stored",
    ),
    "moment of no calendar": (
        _raw(CANDIDATES, b'{"_id": "a", "created": {"$date": ""}}'),
        "is no document",
    ),
    "newer document": (_set(CANDIDATES, "schema_version", 99), "has a newer form"),
    "document twice": (_twice(CANDIDATES), "occurs twice"),
    "one document less": (lambda files: files.update({SNAPSHOTS: b""}), "is not among|0 documents"),
    "rounds with a gap": (_set(ROUNDS, "index", 5), "does not belong to"),
    "funnel that does not add up": (_set(ROUNDS, "funnel.0.n_in", 10**6), "does not add up"),
    "training of no form": (_set(ROUNDS, "training", {"history": 1}), "training: history"),
    "unknown collection": (_added("documents/users.jsonl", b""), "knows no such collection"),
    "blob that nobody names": (_added("blobs/" + "0" * 32, b"x"), "no document names this blob"),
    "blob under a wrong hash": (_set(ROUNDS, "latents_id", "0" * 32), "needs blob 0000"),
    "latents that are text": (_blob(ROUNDS, "latents_id", b"none"), "it cannot be unpacked"),
    "latents of objects": (
        _blob(ROUNDS, "latents_id", _npz(latents=np.array([{}]), train_latents=np.zeros(1))),
        "Python objects, which are never read",
    ),
    "latents in one row": (
        _blob(ROUNDS, "latents_id", _npz(latents=np.zeros(3), train_latents=np.zeros(3))),
        "latents are no table",
    ),
    "promise of terabytes": (
        _blob(ROUNDS, "latents_id", _npz_of(promise_of_terabytes())),
        "says that it has 8,000,000,000,000 bytes and has 0",
    ),
    "selection of no form": (_blob(ROUNDS, "batch_id", b'[{"a": 1}]'), "the selection is damaged"),
    "training data of text": (_blob(CAMPAIGNS, "dataset_id", b"none"), "it cannot be unpacked"),
    "snapshot of text": (_blob(SNAPSHOTS, "blob_id", b"none"), "its content has hash"),
    "hull that was changed": (
        _hull_with(lambda hull: hull["entries"].pop()),
        "its content has hash",
    ),
    "hull of no form": (_blob(HULLS, "blob_id", b"[]"), "is not a gen2dft hull"),
    "hull with NaN": (
        _hull_with(lambda hull: hull["entries"][0].__setitem__(1, NAN)),
        "not a gen2dft hull|finite",
    ),
    "hull that counts wrong": (_set(HULLS, "num_entries", 7), "its hull has 8 entries"),
    "crystal of no hit": (_added("cif/NaCl_0000.cif", b"data_"), "has no such hit"),
    "table that is no text": (_added("hits.csv", b"\xff\xfe"), "no text in UTF-8"),
    "table of zeros": (_added("hits.csv", bytes(100)), "zero bytes"),
    "text that is missing": (_gone(HULLS), "the manifest names it, but it is missing|not among"),
}


def write_container(path: Path, files: Files, **attributes: object) -> Path:
    """An archive whose `hits.csv` has these attributes of a `ZipInfo`."""
    sealed(files, path)
    contents = unpacked(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name == "hits.csv":
                for attribute, value in attributes.items():
                    setattr(info, attribute, value)
            archive.writestr(info, content)
    return path


CONTAINERS: dict[str, tuple[dict[str, object], str]] = {
    "link": ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "as a link or a device"),
    "device": ({"external_attr": (stat.S_IFCHR | 0o600) << 16}, "as a link or a device"),
    "bzip2": ({"compress_type": zipfile.ZIP_BZIP2}, "packed in a way that no archive"),
    "lzma": ({"compress_type": zipfile.ZIP_LZMA}, "packed in a way that no archive"),
}
MANIFESTS: dict[str, tuple[Document, str]] = {
    "version 0": ({"version": 0}, "manifest is not valid .version"),
    "version as text": ({"version": "1"}, "manifest is not valid .version"),
    "newer": ({"version": 99}, "newer format"),
    "campaign with a path": ({"campaign_id": "../x"}, "manifest is not valid .campaign_id"),
    "other campaign": ({"campaign_id": "other-1"}, "must hold campaign 'other-1' and no other"),
    "unknown key": ({"surprise": 1}, "manifest is not valid .surprise"),
    "left out what does not exist": ({"left_out": ["hits"]}, "manifest is not valid .left_out"),
    "number of documents": ({"documents": {"hits": -1}}, "manifest is not valid .documents"),
    "no documents": ({"documents": {}}, "by the manifest"),
    "snapshots left out": ({"left_out": ["snapshots"]}, "no document names this blob"),
}
