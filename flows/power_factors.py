"""From a structure to its power factor: static -> uniform bands -> transport. Blind to which engine it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobflow import Flow, Maker, OnMissing, job
from pymatgen.core import Structure

from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.transport.compute import TransportSettings, compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.loaders import load_bands

# What engines leave in the folder of their uniform bands.
BAND_FILES = ("uniform.gpw", "vasprun.xml", "vasprun.xml.gz")


@dataclass
class TransportMaker(Maker):
    """Job from uniform bands to a TransportDoc, run where the files of the bands can be read.

    Parameters
    ----------
    name
        Name of the job.
    max_spacing
        Coarsest mesh of k-points that is accepted, 1/Angstrom, with 2 pi.
    """

    name: str = "transport"
    max_spacing: float = TransportSettings.max_spacing

    @job
    def make(self, prev: CalculationDoc | CalculationFailure | None = None) -> TransportDoc | CalculationFailure:
        """Transport from the folder of `prev`, a calculation of uniform bands, whose failure is passed on."""
        if not isinstance(prev, CalculationDoc):
            return prev or CalculationFailure(reason="no_bands", detail="the calculation of bands left no result")
        try:
            return compute_transport(load_bands(band_file(prev)), TransportSettings(max_spacing=self.max_spacing))
        except CalculationFailed as error:
            return CalculationFailure.from_error(error)


def band_file(doc: CalculationDoc) -> Path:
    """The file with the bands of a calculation; CalculationFailed `no_bands` if there is none here."""
    folder = Path((doc.directory or "").partition(":")[2] or doc.directory or "")
    found = [folder / name for name in BAND_FILES if (folder / name).is_file()]
    if doc.task != "uniform_bands" or not found:
        detail = f"none of {', '.join(BAND_FILES)} of a task uniform_bands is in {doc.directory} (task {doc.task})"
        raise CalculationFailed("no_bands", detail, doc.directory)
    return found[0]


@dataclass
class PowerFactorMaker(Maker):
    """Flow from a relaxed structure to its transport.

    Parameters
    ----------
    static, uniform_bands
        Makers of an engine; `make(structure, prev)` yields a CalculationDoc or a CalculationFailure.
    transport
        Maker whose `make(prev)` yields a TransportDoc or a CalculationFailure.
    name
        Name of the flow.
    """

    static: Maker
    uniform_bands: Maker
    transport: Maker
    name: str = "power factor"

    @classmethod
    def of_engine(cls, engine: str, preset: str) -> PowerFactorMaker:
        """The Maker for an engine and a preset; CampaignError if the engine computes no bands."""
        makers = load_engine(engine).makers(preset)
        if makers.uniform_bands is None:
            raise CampaignError(f"engine {engine!r} computes no bands, so no power factors; use one that does")
        return cls(makers.static, makers.uniform_bands, TransportMaker())

    def make(self, structure: Structure) -> Flow:
        """The flow of one structure; its output is that of the transport job."""
        static = self.static.make(structure)
        bands = self.uniform_bands.make(prev=static.output)
        transport = self.transport.make(prev=bands.output)
        # A calculation that crashed leaves nothing; the rest still runs, so that there is a reason.
        for later in (bands, transport):
            later.config.on_missing_references = OnMissing.NONE
        formula = structure.composition.reduced_formula
        return Flow([static, bands, transport], output=transport.output, name=f"{self.name} {formula}")
