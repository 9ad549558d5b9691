"""Texts of an archive for people: contents, licence and citation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from gen2dft.campaign import CampaignSpec, stored_campaign
from gen2dft.errors import ArchiveError, not_one_of

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc

LICENCES = {  # SPDX identifier to name and text
    "CC-BY-4.0": (
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution Share Alike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution Non Commercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
    "CC0-1.0": (
        "Creative Commons Zero v1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
}
DEFAULT_LICENCE = "CC-BY-4.0"
TERMS = {  # of training sets
    "starter": "is the Materials Project's (CC BY 4.0, https://materialsproject.org), with power "
    "factors of Ricci et al. (CC0, doi:10.5061/dryad.gn001)",
    "prototypes": "comes with gen2dft (Apache-2.0)",
    "vanadium-oxides": "comes with gen2dft (Apache-2.0)",
    "materials-project": "is the Materials Project's (CC BY 4.0, https://materialsproject.org)",
}


@dataclass(frozen=True)
class Paper:
    """A work to cite: first author as `Family, Given`, and `et al.` for the rest."""

    author: str
    title: str
    journal: str
    year: int
    volume: int
    start: str
    doi: str

    def as_cff(self) -> dict[str, Any]:
        """As a reference of a CITATION.cff."""
        authors = [_author(self.author), {"name": "et al."}]
        rest = {name: value for name, value in vars(self).items() if name != "author"}
        return {"type": "article", "authors": authors, **rest}


PAPERS = {
    "ftcp": Paper(
        "Ren, Z.",
        "An invertible crystallographic representation for general inverse design of inorganic "
        "crystals with targeted "
        "properties",
        "Matter", 2022, 5, "314", "10.1016/j.matt.2021.11.032",
    ),
    "imatgen": Paper(
        "Noh, J.", "Inverse design of solid-state materials via a continuous representation",
        "Matter", 2019, 1, "1370", "10.1016/j.matt.2019.08.017",
    ),
    "chgnet": Paper(
        "Deng, B.",
        "CHGNet as a pretrained universal neural network potential for charge-informed atomistic "
        "modelling",
        "Nature Machine Intelligence", 2023, 5, "1031", "10.1038/s42256-023-00716-3",
    ),
    "vasp": Paper(
        "Kresse, G.",
        "Efficient iterative schemes for ab initio total-energy calculations using a plane-wave "
        "basis set",
        "Physical Review B", 1996, 54, "11169", "10.1103/PhysRevB.54.11169",
    ),
    "gpaw": Paper(
        "Mortensen, J. J.", "GPAW: An open Python package for electronic structure calculations",
        "The Journal of Chemical Physics", 2024, 160, "092503", "10.1063/5.0182685",
    ),
    "materials-project": Paper(
        "Jain, A.",
        "Commentary: The Materials Project: A materials genome approach to accelerating materials "
        "innovation",
        "APL Materials", 2013, 1, "011002", "10.1063/1.4812323",
    ),
    "aflow-prototypes": Paper(
        "Mehl, M. J.", "The AFLOW Library of Crystallographic Prototypes: Part 1",
        "Computational Materials Science", 2017, 136, "S1", "10.1016/j.commatsci.2017.01.017",
    ),
    "ricci2017": Paper(
        "Ricci, F.", "An ab initio electronic transport database for inorganic materials",
        "Scientific Data", 2017, 4, "170085", "10.1038/sdata.2017.85",
    ),
    "mp2020-v1": Paper(
        "Wang, A.", "A framework for quantifying uncertainty in DFT energy corrections",
        "Scientific Reports", 2021, 11, "15496", "10.1038/s41598-021-94550-5",
    ),
}  # fmt: skip
# What a campaign uses, to the works behind it.
BEHIND = {
    "mlip": ("chgnet",),
    "prototypes": ("aflow-prototypes",),
    "noh2019-v1": ("imatgen",),
}
# The same of training sets, whose names may be those of generators too.
BEHIND_DATA = {
    "starter": ("materials-project", "ricci2017"),
    "prototypes": ("aflow-prototypes", "chgnet"),
    "vanadium-oxides": ("aflow-prototypes", "chgnet"),
}


@dataclass(frozen=True)
class Credits:
    """Licence (SPDX identifier) and authors (`Family, Given`) of an archive.

    Raises
    ------
    ArchiveError
        A licence that is not one of `LICENCES`.
    """

    licence: str = DEFAULT_LICENCE
    authors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.licence not in LICENCES:
            raise ArchiveError(not_one_of("--licence", self.licence, LICENCES))


def papers_of(spec: CampaignSpec) -> list[Paper]:
    """The works that a campaign rests on, each once."""
    keys: dict[str, None] = {}
    for name in _used(spec):
        keys |= dict.fromkeys(BEHIND.get(name, (name,)))
    return [PAPERS[key] for key in keys if key in PAPERS]


def _used(spec: CampaignSpec) -> Iterator[str]:
    """Names of generator, data, engines and corrections."""
    for source in spec.sources:
        yield source.name
    data = spec.dataset.source
    yield from BEHIND_DATA.get(data, (data,))
    yield from spec.dataset.labels
    yield spec.screening.surrogate.engine
    yield spec.validation.engine
    yield spec.validation.correction


def citation_file(campaign: CampaignDoc, credits_: Credits) -> str:
    """Content of CITATION.cff (Citation File Format 1.2.0)."""
    content = dict(_citation(campaign, credits_))
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _citation(campaign: CampaignDoc, credits_: Credits) -> Iterator[tuple[str, Any]]:
    """Fields of CITATION.cff, in their order."""
    spec = stored_campaign(campaign)
    authors = [_author(name) for name in credits_.authors]
    yield "cff-version", "1.2.0"
    yield "message", "If you use these data, please cite them and the works that they rest on."
    yield "type", "dataset"
    yield "title", f"Crystals of the gen2dft campaign {campaign.id}"
    if spec.description:
        yield "abstract", spec.description
    yield "authors", authors or [{"name": "authors not named"}]
    yield "license", credits_.licence
    yield "version", campaign.id
    yield "references", [paper.as_cff() for paper in papers_of(spec)]


def _author(name: str) -> dict[str, str]:
    """`Family, Given` as a person; any other name as an entity."""
    family, comma, given = name.partition(",")
    if not comma:
        return {"name": name.strip()}
    return {"family-names": family.strip(), "given-names": given.strip()}


def licence_file(campaign: CampaignDoc, credits_: Credits) -> str:
    """What may be done with the archive."""
    title, link = LICENCES[credits_.licence]
    whose = "; ".join(credits_.authors) or "the authors of the campaign"
    source = campaign.spec["dataset"]["source"]
    terms = TERMS.get(source, f"is from {source}, whose terms hold for it")
    return (
        f"The data of campaign {campaign.id} by {whose} are licensed under\n\n{title} "
        f"({credits_.licence})\n{link}\n\n"
        "What was not made in the campaign keeps its own terms: its training set, with the "
        "reference energies taken\n"
        f"from it, {terms}.\n"
    )


def readme_file(
    campaign: CampaignDoc, counts: Mapping[str, int], left_out: Sequence[str], credits_: Credits
) -> str:
    """What is in the archive and how to read it."""
    lines = [*_introduction(campaign, credits_), *_table_of_files(counts), *_notes(left_out)]
    return "\n".join(lines) + "\n"


def _introduction(campaign: CampaignDoc, credits_: Credits) -> Iterator[str]:
    yield f"# Campaign {campaign.id}"
    yield ""
    description = campaign.spec.get("description")
    if description:
        yield description
        yield ""
    yield (
        f"Written by gen2dft; licence {credits_.licence}, see LICENCE.txt; what to cite is in "
        "CITATION.cff."
    )
    yield ""


def _table_of_files(counts: Mapping[str, int]) -> Iterator[str]:
    yield "| file | what it is |"
    yield "|---|---|"
    yield "| `hits.csv` | the hits, best first; values with units and where each is from |"
    yield "| `cif/` | one CIF per hit, as the engine relaxed it |"
    for name, count in counts.items():
        yield f"| `documents/{name}.jsonl` | {count:,} {name}, one JSON object a line |"
    yield (
        "| `blobs/` | hulls (JSON), latent points (NumPy's npz) and what else was chosen, named by "
        "their hash |"
    )
    yield "| `manifest.json` | size and SHA-256 of every file |"
    yield ""


def _notes(left_out: Sequence[str]) -> Iterator[str]:
    missing = ", ".join(left_out) or "nothing was left out"
    yield f"Not in it: {missing}."
    yield ""
    yield (
        "Energies are in eV/atom, gaps in eV, lengths in Angstrom. Each label names its engine and "
        "whether that is DFT"
    )
    yield "(`is_dft`). `gen2dft import FILE` puts all of it back into a database."
