"""Every figure draws the example campaign, says its units, and is left out when there is nothing to
show.
"""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from matplotlib.figure import Figure

from gen2dft.properties import PROPERTIES
from gen2dft.report.data import ReportData
from gen2dft.report.figures import FIGURES
from gen2dft.report.latent_figures import principal_axes
from gen2dft.report.style import png
from gen2dft.report.wording import pretty


def texts(figure: Figure) -> str:
    """All texts of a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def draw(name: str, data: ReportData) -> Figure:
    figure = FIGURES[name].draw(data)
    assert figure is not None
    return figure


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_labels_its_last_panel(name: str, data: ReportData) -> None:
    figure = draw(name, data)
    panels = [axes for axes in figure.axes if axes.get_visible() and axes.has_data()]
    assert panels
    assert figure.axes[-1].get_xlabel() or panels[-1].get_xlabel()


@pytest.mark.parametrize("name", FIGURES)
def test_a_campaign_that_has_just_begun_has_no_figures(name: str, data: ReportData) -> None:
    bare = dataclasses.replace(
        data, rounds=[], points=[], labels=[], hits=[], latents={}, transport=None
    )
    assert FIGURES[name].draw(bare) is None


def test_figures_leave_pyplot_and_its_settings_alone(data: ReportData) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    first, second = png(draw("calibration", data)), png(draw("calibration", data))
    assert first == second
    assert first.startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_figures_can_be_drawn_off_the_main_thread(data: ReportData) -> None:
    found: list[Figure | None] = []
    thread = threading.Thread(target=lambda: found.append(FIGURES["hull"].draw(data)))
    thread.start()
    thread.join()
    assert isinstance(found[0], Figure)


def test_funnel_shows_every_stage_with_its_survivors(data: ReportData) -> None:
    shown = texts(draw("funnel", data))
    for document in data.rounds:
        for stage in document.funnel:
            assert stage.stage in shown
            assert f"{stage.n_out:,}" in shown
    assert "atoms too close" in shown


def test_funnel_bars_are_as_long_as_their_shares(data: ReportData) -> None:
    right = draw("funnel", data).axes[1]
    by_row: dict[int, float] = {}
    for bar in right.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        by_row[row] = by_row.get(row, 0) + bar.get_width()
    assert set(by_row) == set(range(len(data.rounds[0].funnel)))
    assert all(total == pytest.approx(100) for total in by_row.values())


def test_training_separates_rounds_and_joins_no_two_of_them(data: ReportData) -> None:
    total = draw("training", data).axes[0]
    solid = total.lines[0].get_ydata()
    assert np.isnan(solid).sum() == 1
    assert np.isfinite(solid).sum() == sum(len(r.training["history"]) for r in data.rounds)


def test_parity_says_error_count_and_unit(data: ReportData) -> None:
    shown = texts(draw("parity", data))
    heldout = data.rounds[-1].training["heldout"]["band_gap"]
    error = np.abs(np.subtract(heldout["truth"], heldout["predicted"])).mean()
    assert f"MAE {error:.2g}" in shown
    assert f"eV, n = {len(heldout['truth'])}" in shown
    assert all(
        pretty(PROPERTIES[name].unit) in shown.replace("\n", " ")
        for name in data.rounds[-1].training["heldout"]
    )


def test_parity_leaves_out_what_has_no_heldout_label(data: ReportData) -> None:
    data.rounds[-1].training["heldout"] = {"band_gap": {"truth": [], "predicted": []}}
    assert FIGURES["parity"].draw(data) is None


def test_hull_figure_counts_everyone_and_never_calls_the_surrogate_dft(data: ReportData) -> None:
    figure = draw("hull", data)
    legend = "\n".join(text.get_text() for text in figure.axes[0].get_legend().get_texts())
    assert "screen: mlip chgnet-screen-v1 (surrogate, not DFT), n = 60" in legend
    assert f"validation: mlip chgnet-v1 (surrogate, not DFT), n = {len(data.labels)}" in legend
    bars = sum(
        patch.get_height() for patch in figure.axes[0].patches if hasattr(patch, "get_height")
    )
    assert bars == 60 + len(data.labels)
    assert "eV/atom" in figure.axes[0].get_xlabel()
    assert data.campaign.hull_id in figure.axes[0].get_xlabel()


def test_hull_figure_names_dft_where_dft_was(data: ReportData) -> None:
    labels = [
        label.model_copy(update={"engine": "vasp", "preset": "mp-v1", "is_dft": True})
        for label in data.labels
    ]
    legend = texts(draw("hull", dataclasses.replace(data, labels=labels)))
    assert "validation: vasp mp-v1, n = " in legend


def test_calibration_compares_label_with_what_was_expected(data: ReportData) -> None:
    axes = draw("calibration", data).axes[0]
    shown = {(round(x, 6), round(y, 6)) for x, y in axes.collections[0].get_offsets()}
    expected_of = {p.candidate_id: p.predicted["e_above_hull"] for p in data.points}
    wanted = {
        (round(lab.values["e_above_hull"], 6), round(expected_of[lab.candidate_id], 6))
        for lab in data.labels
    }
    assert shown == wanted


def test_what_the_screen_told_is_no_check_of_it(data: ReportData) -> None:
    first, second, *_ = data.labels
    borrowed = first.model_copy(update={"basis": {"e_above_hull": "mlip"}})
    partly = dataclasses.replace(data, labels=[borrowed, second])
    axes = draw("calibration", partly).axes[0]
    assert len(axes.collections[0].get_offsets()) == 1
    assert "n = 1" in texts(draw("hull", partly))


def test_calibration_shows_errors_and_doubts_of_labels(data: ReportData) -> None:
    first, second, *_ = data.labels
    points = [
        dataclasses.replace(point, predicted={**point.predicted, "power_factor": 2.0})
        for point in data.points
    ]
    labels = [
        first.model_copy(
            update={
                "values": {"power_factor": 3.0},
                "errors": {"power_factor": 0.5},
                "doubts": ["narrow_gap"],
            }
        ),
        second.model_copy(update={"values": {"power_factor": 5.0}}),
    ]
    axes = draw("calibration", dataclasses.replace(data, labels=labels, points=points)).axes[0]
    bars, sure, doubtful = axes.collections[:3]
    assert next(segment[:, 0].tolist() for segment in bars.get_segments()) == [2.5, 3.5]
    assert sure.get_offsets().tolist() == [[5.0, 2.0]]
    assert doubtful.get_offsets().tolist() == [[3.0, 2.0]]
    assert not len(doubtful.get_facecolor())


def test_latent_map_marks_each_hit_where_it_was_sampled(data: ReportData) -> None:
    arrays = data.latents[1]
    mean, axes_of_variance, _ = principal_axes(arrays.train_latents)
    rows = [p.latent_row for p in data.points_of(1) if p.state == "hit"]
    wanted = (arrays.latents[rows] - mean) @ axes_of_variance.T
    panels = [axes for axes in draw("latent", data).axes if axes.get_title(loc="left") == "round 2"]
    stars = panels[0].collections[-1].get_offsets()
    assert np.allclose(np.sort(stars, axis=0), np.sort(wanted, axis=0))


def test_latent_map_leaves_out_what_has_no_latent_point(data: ReportData) -> None:
    hit = next(point for point in data.points_of(1) if point.state == "hit")
    rest = [point for point in data.points if point is not hit]
    drawn_itself = dataclasses.replace(hit, latent_row=None)
    without = dataclasses.replace(data, points=[*rest, drawn_itself])
    assert num_stars(draw("latent", without)) == num_stars(draw("latent", data)) - 1 > 0


def num_stars(figure: Figure) -> int:
    """How many hits of the second round are marked on the latent map."""
    (panel,) = (axes for axes in figure.axes if axes.get_title(loc="left") == "round 2")
    return len(panel.collections[-1].get_offsets())


def test_principal_axes_find_the_directions_of_variance() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4000, 5)) * [0.1, 3.0, 0.1, 1.0, 0.1] + 7
    mean, axes, shares = principal_axes(points)
    assert np.allclose(mean, 7, atol=0.2)
    assert np.allclose(np.abs(axes), np.eye(5)[[1, 3]], atol=0.05)
    assert shares == pytest.approx([9 / 10.03, 1 / 10.03], abs=0.02)


def test_principal_axes_do_not_depend_on_order_or_sign_conventions() -> None:
    points = np.random.default_rng(1).normal(size=(50, 4)) * [4, 2, 1, 0.5]
    first, second = principal_axes(points)[1], principal_axes(points[::-1])[1]
    assert np.allclose(first, second)


def test_costs_show_calls_hits_and_every_stage(data: ReportData) -> None:
    shown = texts(draw("costs", data))
    assert "10, 1 hit" in shown
    assert "10, 3 hits" in shown
    assert all(
        stage in shown for stage in ("train", "propose", "surrogate (all workers)", "validate")
    )


def test_empty_stage_is_drawn_as_such(data: ReportData) -> None:
    from gen2dft.funnel import StageCount

    data.rounds[0].funnel.append(StageCount(stage="later", n_in=0, n_out=0))
    assert "nothing entered" in texts(draw("funnel", data))
