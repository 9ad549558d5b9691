"""What Noh et al., Matter 1, 1370 (2019), show of a campaign for vanadium oxides, from the store of
any such campaign.

Compositions of the candidates in four sections (supporting information, figure S11), statistics of
the latent elements (S2), what the classifier does to the latent space (S3), dissimilarity of
reconstructed structures (S8) and errors of reconstructed images (S9, S10).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.store.documents import CandidateDoc

if TYPE_CHECKING:
    from gen2dft.generators.imatgen.trained import TrainedImatgen

NEIGHBOURS = 5  # by which the purity of classes is measured


def section_table(
    candidates: Iterable[CandidateDoc], in_reference: Collection[str], in_set: Collection[str]
) -> Table:
    """Figure S11: how many candidates of each sampler fall into the four sections of compositions.

    Parameters
    ----------
    candidates
        Those that were decoded to a crystal; others are passed over.
    in_reference, in_set
        Reduced formulas, as `CrystalTable.formulas` writes them, of the phases of the reference
        (the hull) and of the known vanadium oxides that the generator learnt from.
    """
    groups: dict[tuple[str, bool, bool], list[CandidateDoc]] = {}
    for doc in candidates:
        if doc.formula is not None:
            key = (doc.sampler, doc.formula in in_reference, doc.formula in in_set)
            groups.setdefault(key, []).append(doc)
    rows = []
    for sampler, (known, learnt) in itertools.product(
        sorted({key[0] for key in groups}), itertools.product((True, False), repeat=2)
    ):
        found = groups.get((sampler, known, learnt), [])
        where = (
            f"{'in' if known else 'not in'} the reference, {'in' if learnt else 'not in'} the set"
        )
        rows.append(Row(f"{sampler}: composition {where}", _figures(found)))
    columns = (
        Column("decoded", "decoded", "d"),
        Column("compositions", "compositions", "d"),
        Column("relaxed", "relaxed", "d"),
        Column("labelled", "labelled", "d"),
        Column("lowest", "lowest E_hull (eV/atom)", ".3f"),
    )
    return Table("sections", "Candidates by composition (figure S11)", columns, tuple(rows))


def _figures(found: list[CandidateDoc]) -> dict[str, float | None]:
    given = [doc.verdict.e_above_hull for doc in found]
    distances = [distance for distance in given if distance is not None]
    return {
        "decoded": len(found),
        "compositions": len({doc.formula for doc in found}),
        "relaxed": len(distances),
        "labelled": sum(doc.standing.is_labelled for doc in found),
        "lowest": min(distances, default=None),
    }


def _has_distance(doc: CandidateDoc) -> bool:
    return doc.verdict.e_above_hull is not None


@dataclass(frozen=True, eq=False)
class LatentStatistics:
    """Figure S2: mean and standard deviation of every latent element over the known crystals, (d,)
    each.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, latents: NDArray[np.float32], delta: float) -> LatentStatistics:
        """Of (n, d) latent vectors, in units of delta, in which the prior has mean 0 and spread
        1.
        """
        scaled = latents.astype(np.float64) / delta
        return cls(scaled.mean(axis=0), scaled.std(axis=0))

    def table(self) -> Table:
        """Quantiles of both over the latent elements."""
        columns = tuple(Column(f"q{q}", f"{q} %", ".3g") for q in (5, 25, 50, 75, 95))
        rows = tuple(
            Row(name, {f"q{q}": float(np.percentile(values, q)) for q in (5, 25, 50, 75, 95)})
            for name, values in (("mean", self.mean), ("standard deviation", self.std))
        )
        return Table(
            "latent",
            "Latent elements over the known crystals, in units of delta (figure S2)",
            columns,
            rows,
        )


def neighbour_purity(points: NDArray[np.floating], classes: NDArray[np.floating]) -> float | None:
    """Share of a crystal's nearest neighbours that are of its class, over what chance gives.

    1 is chance.

    Figure S3 shows the two classes apart in the latent space of a generator with classifier, and
    mixed without; this is that picture as a number.

    Parameters
    ----------
    points
        (n, d) latent vectors.
    classes
        (n,) 1, 0, or NaN for crystals without label. None comes back unless both classes have two
        members.
    """
    known = np.isfinite(classes)
    points, is_first = points[known].astype(np.float64), np.asarray(classes[known] > 0.5)
    counts = np.array([len(is_first) - is_first.sum(), is_first.sum()])
    if counts.min() < 2:
        return None
    squares = (points**2).sum(axis=1)
    apart = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, : min(NEIGHBOURS, len(points) - 1)]
    same = (is_first[nearest] == is_first[:, None]).mean()
    chance = (counts * (counts - 1)).sum() / (counts.sum() * (counts.sum() - 1))
    return float(same / chance)


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """Known crystals, once through the generator and back.

    Parameters
    ----------
    image_errors
        Part (`cell`, `basis`) to the mean squared error per voxel of each image, by its autoencoder
        alone (S9, S10).
    crystals, rows
        The crystals that came back, and which of the known ones each was.
    dissimilarity
        Distance between the site fingerprints of a crystal and of what came back of it (S8); empty
        if not asked for.
    """

    image_errors: dict[str, NDArray[np.float32]]
    crystals: CrystalTable
    rows: NDArray[np.int64]
    dissimilarity: NDArray[np.float64]

    def table(self, total: int) -> Table:
        """Quantiles of errors and dissimilarities."""
        parts: dict[str, NDArray[Any]] = {
            "cell images, mean squared error": self.image_errors["cell"],
            "basis images, mean squared error": self.image_errors["basis"],
            f"dissimilarity of {len(self.rows)} of {total} that came back": self.dissimilarity,
        }
        columns = (
            Column("count", "number", "d"),
            *(Column(f"q{q}", f"{q} %", ".3g") for q in (5, 50, 95)),
        )
        rows = []
        for name, values in parts.items():
            quantiles = {
                f"q{q}": float(np.percentile(values, q)) if len(values) else None
                for q in (5, 50, 95)
            }
            rows.append(Row(name, {"count": len(values), **quantiles}))
        return Table(
            "reconstruction",
            "Reconstruction of known crystals (figures S8 to S10)",
            columns,
            tuple(rows),
        )


def reconstruct(
    trained: TrainedImatgen, table: CrystalTable, *, fingerprints: bool = True
) -> Reconstructed:
    """Send crystals through the generator and back."""
    rep = trained.representation
    parts = (("cell", rep.cell_images), ("basis", rep.basis_images))
    errors = {name: trained.image_errors(name, draw(table)) for name, draw in parts}
    decoded = trained.decode(trained.encode(table))
    distances = (
        dissimilarities(table.select(decoded.kept), decoded.crystals)
        if fingerprints
        else np.zeros(0)
    )
    return Reconstructed(errors, decoded.crystals, decoded.kept, distances)


def dissimilarities(first: CrystalTable, second: CrystalTable) -> NDArray[np.float64]:
    """(n,) Euclidean distances between the site fingerprints of crystals, pair by pair.

    NaN where one has none.

    The fingerprint is the mean and the standard deviation over the sites of matminer's
    CrystalNNFingerprint of local order parameters, as the Materials Project compares structures.
    """
    fingerprint = _site_fingerprint()
    pairs = zip(first.structures(), second.structures(), strict=True)
    return np.array(
        [np.linalg.norm(fingerprint(a) - fingerprint(b)) for a, b in pairs], dtype=np.float64
    )


def _site_fingerprint() -> Callable[[Any], NDArray[np.float64]]:
    from matminer.featurizers.site import CrystalNNFingerprint
    from matminer.featurizers.structure import SiteStatsFingerprint

    site = CrystalNNFingerprint.from_preset("ops", distance_cutoffs=None, x_diff_weight=0)
    whole = SiteStatsFingerprint(site, stats=("mean", "std_dev"))

    def fingerprint(structure: Any) -> NDArray[np.float64]:
        try:
            return np.array(whole.featurize(structure), dtype=np.float64)
        except (
            ValueError,
            RuntimeError,
            IndexError,
        ):  # no neighbours, or an order parameter that is not defined
            return np.full(len(whole.feature_labels()), np.nan)

    return fingerprint
