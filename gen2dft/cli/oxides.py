"""The verb for campaigns with images: the tables and figures of Noh et al., Matter 1, 1370
(2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import numpy as np
import typer
from rich.console import Console

from gen2dft.cli.common import (
    echo_json,
    open_store_to_show,
    plain_table,
    reasons_text,
    report_folder,
)
from gen2dft.cli.options import MANY, out_folder
from gen2dft.cli.results import Campaign
from gen2dft.errors import CampaignError

if TYPE_CHECKING:
    from gen2dft.evaluation.oxides import LatentStatistics, Reconstructed
    from gen2dft.evaluation.tables import Table
    from gen2dft.generators.imatgen.generator import ImatgenGenerator
    from gen2dft.generators.imatgen.trained import TrainedImatgen
    from gen2dft.rounds.round import Round

console = Console()


def oxides(
    campaign: Campaign = None,
    crystals: Annotated[
        int,
        typer.Option(min=1, max=MANY, help="Known crystals that are reconstructed, a random part."),
    ] = 100,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder of the figures.", parser=out_folder
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Tables and figures of the iMatGen paper for the newest round of a campaign: S2, S3, S8 to
    S11.
    """
    context = _newest_round(campaign)
    found = _measure(context, crystals)
    folder = out or report_folder(context.campaign_id)
    files = _write_figures(found, folder)
    if as_json:
        echo_json([table.as_dict() for table in found.tables])
        return
    for table in found.tables:
        _show(table)
    repaired = {name: count for name, count in context.document.repairs.items() if count}
    put_right = reasons_text(repaired) or "nothing"
    console.print(f"put right in decoded crystals (S3.3): {put_right}", highlight=False)
    console.print("\n".join(map(str, files)), highlight=False, soft_wrap=True)


class _Measured(NamedTuple):
    """All that tables and figures show.

    Parameters
    ----------
    codes
        (n, c) codes of the training set's images.
    latents
        (n, d) their latent vectors.
    classes
        (n,) whether each crystal is in the class, by the first property that makes classes.
    class_title
        That class in words.
    """

    tables: list[Table]
    statistics: LatentStatistics
    back: Reconstructed
    codes: np.ndarray
    latents: np.ndarray
    classes: np.ndarray
    class_title: str


def _measure(context: Round, crystals: int) -> _Measured:
    """Encode the training set again, and reconstruct a random part of it."""
    from gen2dft.evaluation import oxides as evaluating
    from gen2dft.rounds.learner import read_learner

    trained = _trained(context)
    known = read_learner(context).known
    tensors = trained.tensors(known.crystals)
    latents = trained.encode_tensors(tensors)
    codes = tensors.reshape(len(known), -1)
    labels = known.label_matrix(trained.classes.properties)
    classes = trained.classes.of(labels)
    statistics = evaluating.LatentStatistics.of(latents, trained.spec.imatgen.delta)
    chosen = _random_rows(context, len(known), crystals)
    back = evaluating.reconstruct(trained, known.crystals.select(chosen))
    accuracies = context.document.training.get("figures", {})
    tables = [
        _sections(context, trained),
        statistics.table(),
        _classifier(trained, codes, latents, classes, accuracies),
        back.table(len(chosen)),
    ]
    title = f"{trained.classes.properties[0].replace('_', ' ')} below its threshold"
    return _Measured(tables, statistics, back, codes, latents, classes[:, 0], title)


def _random_rows(context: Round, total: int, number: int) -> np.ndarray:
    """Sorted rows, the same for the same round."""
    from gen2dft.streams import Stream, Streams

    streams = Streams(context.spec.seed, context.index)
    order = streams.rng(Stream.OXIDE_FIGURES).permutation(total)
    return np.sort(order[:number])


def _write_figures(found: _Measured, folder: Path) -> list[Path]:
    from gen2dft.report.output import write_file
    from gen2dft.report.oxide_figures import classes_apart, latent_elements, reconstruction_errors
    from gen2dft.report.style import png

    statistics, back = found.statistics, found.back
    pictures = {
        "latent-elements": latent_elements(statistics.mean, statistics.std),
        "classes": classes_apart(found.codes, found.latents, found.classes, found.class_title),
        "reconstruction-errors": reconstruction_errors(back.image_errors, back.dissimilarity),
    }
    files = []
    for name, figure in pictures.items():
        file = folder / f"{name}.png"
        write_file(file, png(figure))
        files.append(file)
    return files


def _newest_round(campaign: str | None) -> Round:
    """The newest round that has a generator."""
    from gen2dft.rounds.round import Round

    store = open_store_to_show()
    document = store.find_campaign(campaign)
    rounds = store.rounds(document.id)
    trained = [entry.index for entry in rounds if entry.snapshot_id is not None]
    if not trained:
        raise CampaignError(
            f"campaign {document.id} has trained no generator yet: `gen2dft status` tells where it "
            "is"
        )
    return Round(store, document.id, max(trained))


def _trained(context: Round) -> TrainedImatgen:
    from gen2dft.generators import load_generator_class
    from gen2dft.generators.imatgen.generator import ImatgenGenerator

    name = context.spec.only_generator.name
    if not issubclass(load_generator_class(name), ImatgenGenerator):
        raise CampaignError(
            f"campaign {context.campaign_id} has generator {name!r}: only `imatgen` has images"
        )
    from gen2dft.rounds.models import read_models

    (model, *_) = read_models(context)
    return cast("ImatgenGenerator", model.generator).trained


def _sections(context: Round, trained: TrainedImatgen) -> Table:
    from gen2dft.evaluation.oxides import section_table
    from gen2dft.rounds.footing import footing_of

    reference = set()
    for formula, _ in footing_of(context).hull.phases(trained.representation.elements):
        parts = [f"{symbol}{number:.0f}" for symbol, number in sorted(formula)]
        reference.add(" ".join(parts))
    candidates = context.store.candidates(context.campaign_id)
    known = set(context.base.crystals.formulas())
    return section_table(candidates, reference, known)


def _classifier(
    trained: TrainedImatgen,
    codes: np.ndarray,
    latents: np.ndarray,
    classes: np.ndarray,
    figures: Mapping[str, float],
) -> Table:
    """S3 as numbers: held-out accuracy, and how much the classes keep to themselves among codes and
    latent vectors.
    """
    from gen2dft.evaluation.oxides import neighbour_purity
    from gen2dft.evaluation.tables import Column, Row, Table

    rows = []
    for place, name in enumerate(trained.classes.properties):
        inside = classes[:, place]
        row = {
            "threshold": float(trained.classes.thresholds[place]),
            "accuracy": figures.get(f"accuracy_{name}"),
            "larger": figures.get(f"larger_class_{name}"),
            "codes": neighbour_purity(codes, inside),
            "latent": neighbour_purity(latents, inside),
        }
        rows.append(Row(name, row))
    columns = (
        Column("threshold", "stable up to (eV/atom)", ".2f"),
        Column("accuracy", "held-out accuracy", ".1%"),
        Column("larger", "larger class", ".1%"),
        Column("codes", "purity of codes", ".2f"),
        Column("latent", "purity of latent vectors", ".2f"),
    )
    title = "Classes and classifier (figure S3; purity 1 is chance)"
    return Table("classifier", title, columns, tuple(rows))


def _show(table: Table) -> None:
    printed = plain_table(table.title)
    printed.add_column("")
    for column in table.columns:
        printed.add_column(column.title, justify="right")
    for cells in table.cells():
        printed.add_row(*cells)
    console.print(printed)
