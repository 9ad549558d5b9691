"""What Noh et al., Matter 1, 1370 (2019), show of a campaign for vanadium oxides, from the store of
any such campaign.

Compositions of the candidates in four sections (supporting information, figure S11), statistics of
the latent elements (S2), what the classifier does to the latent space (S3), dissimilarity of
reconstructed structures (S8) and errors of reconstructed images (S9, S10).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.store.documents import CandidateDoc

if TYPE_CHECKING:
    from gen2dft.generators.imatgen.trained import TrainedImatgen

Section = tuple[str, bool, bool]
"""Sampler, whether the reference knows the composition, whether the generator learnt from it."""
NEIGHBOURS = 5  # by which the purity of classes is measured
SECTION_COLUMNS = (
    Column("decoded", "decoded", "d"),
    Column("compositions", "compositions", "d"),
    Column("relaxed", "relaxed", "d"),
    Column("labelled", "labelled", "d"),
    Column("lowest", "lowest E_hull (eV/atom)", ".3f"),
)


def quantile_columns(percents: Sequence[int]) -> tuple[Column, ...]:
    """Columns of quantiles."""
    return tuple(Column(f"q{percent}", f"{percent} %", ".3g") for percent in percents)


def quantiles(values: NDArray[Any], percents: Sequence[int]) -> dict[str, float | None]:
    """Quantiles by the keys of their columns; None of no values."""
    figures: dict[str, float | None] = {}
    for percent in percents:
        value = float(np.percentile(values, percent)) if len(values) else None
        figures[f"q{percent}"] = value
    return figures


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
    sections: dict[Section, list[CandidateDoc]] = {}
    for doc in candidates:
        formula = doc.formula
        if formula is None:
            continue
        key = (doc.sampler, formula in in_reference, formula in in_set)
        sections.setdefault(key, []).append(doc)
    samplers = sorted({sampler for sampler, _, _ in sections})
    rows = []
    for key in itertools.product(samplers, (True, False), (True, False)):
        found = sections.get(key, [])
        rows.append(Row(_section_name(*key), _figures(found)))
    return Table("sections", "Candidates by composition (figure S11)", SECTION_COLUMNS, tuple(rows))


def _section_name(sampler: str, is_known: bool, is_learnt: bool) -> str:
    """Name of a section, for people."""
    reference = "in the reference" if is_known else "not in the reference"
    learnt = "in the set" if is_learnt else "not in the set"
    return f"{sampler}: composition {reference}, {learnt}"


def _figures(found: list[CandidateDoc]) -> dict[str, float | None]:
    """Figures of the candidates of one section."""
    formulas = {doc.formula for doc in found}
    given = [doc.verdict.e_above_hull for doc in found]
    distances = [distance for distance in given if distance is not None]
    return {
        "decoded": len(found),
        "compositions": len(formulas),
        "relaxed": len(distances),
        "labelled": sum(doc.standing.is_labelled for doc in found),
        "lowest": min(distances, default=None),
    }


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
        percents = (5, 25, 50, 75, 95)
        means = Row("mean", quantiles(self.mean, percents))
        spreads = Row("standard deviation", quantiles(self.std, percents))
        columns = quantile_columns(percents)
        title = "Latent elements over the known crystals, in units of delta (figure S2)"
        return Table("latent", title, columns, (means, spreads))


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
    is_first = np.asarray(classes[known] > 0.5)
    total, in_first = len(is_first), is_first.sum()
    counts = np.array([total - in_first, in_first])
    if counts.min() < 2:
        return None
    nearest = _nearest(points[known].astype(np.float64))
    of_same_class = is_first[nearest] == is_first[:, None]
    pairs_of_a_class = (counts * (counts - 1)).sum()
    chance = pairs_of_a_class / (total * (total - 1))
    return float(of_same_class.mean() / chance)


def _nearest(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, `NEIGHBOURS`) the nearest neighbours of each point; fewer of few points."""
    squares = (points**2).sum(axis=1)
    # |a - b|^2 = a.a + b.b - 2 a.b
    products = points @ points.T
    apart = squares[:, None] + squares - 2 * products
    np.fill_diagonal(apart, np.inf)
    count = min(NEIGHBOURS, len(points) - 1)
    return np.argsort(apart, axis=1)[:, :count]


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
        percents = (5, 50, 95)
        rows = []
        for name, values in self._parts(total):
            figures = {"count": len(values), **quantiles(values, percents)}
            rows.append(Row(name, figures))
        columns = (Column("count", "number", "d"), *quantile_columns(percents))
        title = "Reconstruction of known crystals (figures S8 to S10)"
        return Table("reconstruction", title, columns, tuple(rows))

    def _parts(self, total: int) -> Iterator[tuple[str, NDArray[Any]]]:
        """Each measured quantity with its name."""
        for part, errors in self.image_errors.items():
            yield f"{part} images, mean squared error", errors
        num_back = len(self.rows)
        yield f"dissimilarity of {num_back} of {total} that came back", self.dissimilarity


def reconstruct(
    trained: TrainedImatgen, table: CrystalTable, *, fingerprints: bool = True
) -> Reconstructed:
    """Send crystals through the generator and back."""
    rep = trained.representation
    cells = trained.image_errors("cell", rep.cell_images(table))
    bases = trained.image_errors("basis", rep.basis_images(table))
    errors = {"cell": cells, "basis": bases}
    latents = trained.encode(table)
    decoded = trained.decode(latents)
    distances = np.zeros(0)
    if fingerprints:
        originals = table.select(decoded.kept)
        distances = dissimilarities(originals, decoded.crystals)
    return Reconstructed(errors, decoded.crystals, decoded.kept, distances)


def dissimilarities(first: CrystalTable, second: CrystalTable) -> NDArray[np.float64]:
    """(n,) Euclidean distances between the site fingerprints of crystals, pair by pair.

    NaN where one has none.

    The fingerprint is the mean and the standard deviation over the sites of matminer's
    CrystalNNFingerprint of local order parameters, as the Materials Project compares structures.
    """
    fingerprint = _site_fingerprint()
    distances = []
    for a, b in zip(first.structures(), second.structures(), strict=True):
        difference = fingerprint(a) - fingerprint(b)
        distances.append(np.linalg.norm(difference))
    return np.array(distances, dtype=np.float64)


def _site_fingerprint() -> Callable[[Any], NDArray[np.float64]]:
    from matminer.featurizers.site import CrystalNNFingerprint
    from matminer.featurizers.structure import SiteStatsFingerprint

    site = CrystalNNFingerprint.from_preset("ops", distance_cutoffs=None, x_diff_weight=0)
    whole = SiteStatsFingerprint(site, stats=("mean", "std_dev"))
    length = len(whole.feature_labels())

    def fingerprint(structure: Any) -> NDArray[np.float64]:
        try:
            return np.array(whole.featurize(structure), dtype=np.float64)
        # There are no neighbours, or an order parameter is not defined.
        except (ValueError, RuntimeError, IndexError):
            return np.full(length, np.nan)

    return fingerprint
