"""Campaign: its tables, its figures, and ask and tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gen2dft.errors import Gen2DFTError, not_one_of

if TYPE_CHECKING:
    import pandas as pd
    from pymatgen.core import Structure

    from gen2dft.campaign import CampaignSpec
    from gen2dft.rounds.answers import Answer
    from gen2dft.rounds.asking import Asked
    from gen2dft.settings import Settings
    from gen2dft.store.documents import CampaignDoc
    from gen2dft.store.store import Store


class Connected(Protocol):
    """What a campaign needs of its session."""

    @property
    def settings(self) -> Settings:
        """Where the database is."""

    @property
    def store(self) -> Store:
        """The documents of the database."""

    @property
    def writable_store(self) -> Store:
        """The same, for writing."""


class Outcome(NamedTuple):
    """What became of one row of a file of answers.

    `line` counts from 1, the header; `state` is None and `problem` says why where the answer was
    not taken.
    """

    line: int
    id: str
    state: str | None
    problem: str | None


@dataclass(frozen=True)
class Campaign:
    """One campaign of a session; made by `Session.submit`, `run` or `campaign`.

    Parameters
    ----------
    session
        Its database.
    id
        Id of the campaign.
    """

    session: Connected
    id: str

    @property
    def document(self) -> CampaignDoc:
        """The campaign's document as it stands now."""
        return self.session.store.campaign(self.id)

    @property
    def state(self) -> str:
        """`running`, `paused` or `finished`."""
        return self.document.state

    @property
    def spec(self) -> CampaignSpec:
        """The resolved content of the campaign file."""
        from gen2dft.campaign import stored_campaign

        return stored_campaign(self.document)

    # Results
    # --------------------------------------------------------------------------------------------

    def hits(self, where: str | None = None) -> pd.DataFrame:
        """Crystals that meet the targets, best first; empty while there are none.

        Parameters
        ----------
        where
            Condition as of `gen2dft hits --where`: `"band_gap < 1 and e_above_hull < 0.05"`.

        Returns
        -------
        Columns `id`, `formula`, `spacegroup`, `round` (from 1), `evidence`; for each target its
        value, where it is from (`NAME_from`) and its error (`NAME_error`); `chance` that DFT
        confirms the stability; `remarks`; `structure` (pymatgen). `attrs["units"]` maps columns to
        units.

        Raises
        ------
        QueryError
            The condition is not understood.
        """
        from gen2dft.api.tables import hit_table

        return hit_table(self.session.store, self.document, where)

    def candidates(self) -> pd.DataFrame:
        """Every crystal that was chosen for validation, or given, and what became of it.

        Columns `id`, `formula`, `spacegroup`, `round`, `state`; for each property its value and
        where it is from (`NAME_from`); `remark`; `structure` (pymatgen, the best there is).
        """
        from gen2dft.api.tables import candidate_table

        return candidate_table(self.session.store, self.document)

    def labels(self) -> pd.DataFrame:
        """What was computed or told, one row per label.

        Columns `id` (of the candidate), `formula`, `round`, `engine`, `preset`, `is_dft`; for each
        property its value, error and source; `core_hours`, `warnings`, `hull`, `structure`.
        """
        from gen2dft.api.tables import label_table

        return label_table(self.session.store, self.document)

    def funnel(self) -> pd.DataFrame:
        """Stages of all rounds: `round`, `stage`, `n_in`, `n_out`, and `reasons` of those between.

        In every row n_in = n_out + the sum of the reasons.
        """
        from gen2dft.api.tables import funnel_table

        return funnel_table(self.session.store, self.document)

    def figures(self) -> list[str]:
        """Names of the figures that `plot` draws, whether or not there is something to show yet."""
        from gen2dft.report.figures import FIGURES

        return list(FIGURES)

    def plot(self, name: str = "funnel") -> Any:
        """One figure of the report, a `matplotlib.figure.Figure`; `figures` has the names.

        Raises
        ------
        Gen2DFTError
            No such figure, or nothing to show yet.
        """
        from gen2dft.report.data import load_report_data
        from gen2dft.report.figures import FIGURES

        if name not in FIGURES:
            raise Gen2DFTError(not_one_of("figure", name, FIGURES))
        figure = FIGURES[name].draw(load_report_data(self.session.store, self.id))
        if figure is None:
            raise Gen2DFTError(f"figure {name!r} has nothing to show yet of campaign {self.id}")
        return figure

    def report(self, folder: str | Path) -> Path:
        """Write the report, one HTML page and its figures, into a folder; the page's path."""
        from gen2dft.report.page import write_report

        return write_report(self.session.store, self.id, Path(folder))

    # Work
    # --------------------------------------------------------------------------------------------

    def run(self, workers: int | None = None) -> Campaign:
        """Work on the campaign here until it is finished, or waits for answers.

        Parameters
        ----------
        workers
            Processes; 0: this one. Default: as the settings say.

        Raises
        ------
        Gen2DFTError
            The campaign was paused, or a step of a round crashed.
        """
        from gen2dft.launchpad.work import work

        settings = self.session.settings
        work(settings, self.id, settings.workers if workers is None else workers)
        return self

    # Ask and tell
    # --------------------------------------------------------------------------------------------

    def ask(self, number: int | None = None, workers: int | None = None) -> list[Asked]:
        """Crystals to compute or measure next, each of them handed out once.

        The round is trained, proposed, screened and chosen first, by the steps of `run`, if that
        was not done yet.

        Parameters
        ----------
        number
            At most so many of the round's batch, the most valuable first; None: all that are left.
        workers
            As for `run`.

        Returns
        -------
        Crystals with `id`, `formula`, `structure` (pymatgen, relaxed by the screen), `round`,
        `expected` values, `score` and `chosen_by`; none where all of the batch are handed out and
        answers are awaited, and once the campaign is finished.

        Raises
        ------
        AnswerError
            gen2dft's own engine validates the campaign.
        """
        from gen2dft.rounds.asking import ask, refuse_engine
        from gen2dft.rounds.round import Round

        store = self.session.writable_store
        refuse_engine(Round(store, self.id, 0))
        self.run(workers)
        newest = store.rounds(self.id)[-1]
        return ask(Round(store, self.id, newest.index), number)

    def unanswered(self) -> list[Asked]:
        """What was asked for and has no answer yet, the most valuable first."""
        from gen2dft.rounds.asking import unanswered

        return unanswered(self.session.store, self.id)

    def tell(
        self,
        id: str,  # noqa: A002 - the word of tables and files
        values: Mapping[str, float] | None = None,
        *,
        structure: Structure | Mapping[str, Any] | str | Path | None = None,
        energy: float | None = None,
        scale: str | None = None,
        dft: bool | None = None,
        basis: str = "",
        failed: str = "",
        core_hours: float = 0.0,
    ) -> str:
        """Say what came out for a crystal that was asked for; its new state.

        It becomes a label like those of gen2dft's engines, under the same checks, and teaches the
        next round. Answers come in any order. One after the deadline is taken too; the same one
        again changes nothing.

        Parameters
        ----------
        id
            As `ask` gave it.
        values
            Property to value in the property's unit, `{"band_gap": 0.6}`; a unit may be written
            beside the name, `"band_gap (eV)"`, and is checked. `formation_energy` is in eV/atom.
        structure
            Relaxed crystal: pymatgen Structure or dictionary, or a CIF, POSCAR or JSON file.
        energy
            Total energy of the cell of `structure`, eV; the campaign's `validation.references` are
            taken off. Instead of `formation_energy`.
        scale
            What the energy is measured on: `mp2020`, or the scale of the campaign's hull. Without
            an energy, the screen's distance to the hull counts.
        dft
            Whether DFT computed it.
        basis
            Program and functional, `"VASP 6, PBE"`, or an engine of gen2dft's with its preset.
        failed
            Why there is no result; nothing else is told then.
        core_hours
            What it has cost.

        Returns
        -------
        `labelled`, `hit`, or `given_up:REASON` for a failure and for numbers that no crystal has.

        Raises
        ------
        AnswerError
            Unknown id, another answer than before, another unit, nothing to tell.
        MixedEnergies
            An energy on another scale than the hull's.
        """
        from gen2dft.api.answer_file import told_structure
        from gen2dft.rounds.answers import Answer

        crystal = None if structure is None else told_structure(structure)
        answer = Answer(values or {}, crystal, energy, scale, dft, basis, failed, core_hours)
        state = self._take(id, answer)
        self._go_on()
        return state

    def tell_file(self, path: str | Path) -> list[Outcome]:
        """Take the answers of a CSV file, each row for itself.

        The columns are in docs/ask-and-tell.md. Rows that say nothing are passed over; rows that
        cannot be taken are named in the result.

        Raises
        ------
        AnswerError
            The file is missing, or its columns are not understood.
        """
        from gen2dft.api.answer_file import read_answers

        outcomes = []
        for row in read_answers(Path(path), self.spec.known_properties):
            state, problem = None, row.problem
            if row.answer is not None:
                try:
                    state = self._take(row.id, row.answer)
                except Gen2DFTError as err:
                    problem = str(err)
            outcomes.append(Outcome(row.line, row.id, state, problem))
        self._go_on()
        return outcomes

    def _take(self, candidate_id: str, answer: Answer) -> str:
        from gen2dft.rounds.telling import tell

        return tell(self.session.writable_store, self.id, candidate_id, answer)

    def _go_on(self) -> None:
        """Close the round if it is complete; the next one's work is inserted, not done."""
        from gen2dft.launchpad.advance import advance
        from gen2dft.launchpad.connect import connect_launchpad

        advance(self.session.writable_store, connect_launchpad(self.session.settings), self.id)
