"""Published shares of generated crystals, to be printed beside the table, each with what it means.

Figures only, as the sources print them. `within`: of crystals relaxed by DFT; `sun`: of all
generated ones, by the source's own rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gen2dft.evaluation.reference import Reference
from gen2dft.evaluation.tables import Row

TABLE = "sun"

SZYMANSKI = (
    "Szymanski and Bartel, Mater. Horiz. (2025), doi:10.1039/D5MH00010F. DFT. Stable: "
    "decomposition energy against the Materials Project's hull of at most 0; all formulas are new "
    "to it. Within 0.1: counted here on the 1,531 crystals of the paper's repository, "
    "Bartel-Group/matgen_baselines (about 250 for each method)"
)
KAZEEV = (
    "Kazeev et al. (WyFormer), ICML 2025, arXiv:2503.02407; figures of the repository's "
    "ICML_eval/DFT_eval.ipynb. Trained on MP-20 (WyCryst: its binaries and ternaries). New: no "
    "crystal of MP-20's training and validation parts matches. S.U.N.: share of about 105 new "
    "crystals whose DFT energy is at most 0 or 0.08 eV/atom above the Materials Project's hull, "
    "times the share of new ones; WyFormer (10,000): all draws by DFT. P1 as generated"
)
BETALA = (
    "Betala et al. (LeMat-GenBench), arXiv:2512.04562, Table 1: 2,500 crystals of each model. No "
    "DFT: relaxed by three ML potentials (ORB, MACE, UMA), against hulls of LeMat-Bulk by the same "
    "potentials. New: fingerprint not in LeMat-Bulk. S.U.N. within 0.1 is their MSUN. The authors "
    "announce a recomputation, since one potential's version did not fit its hull"
)
ZENI = (
    "Zeni et al. (MatterGen), Nature 639, 624 (2025), arXiv:2312.03687. DFT. Stable: at most 0.1 "
    "eV/atom above the hull of Alex-MP-ICSD. New: no crystal of it matches"
)

_ON_HULL_AND_NEAR: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "ion exchange": (0.092, 0.593),
        "MatterGen": (0.030, 0.198),
        "CrystaLLM": (0.024, 0.130),
        "FTCP": (0.020, 0.210),
        "CDVAE": (0.018, 0.148),
        "random prototypes": (0.014, 0.079),
    }
)
# New to MP-20, S.U.N. at 0 and within 0.08, P1.
_KAZEEV: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "WyFormer": (0.896, 0.043, 0.224, 0.015),
        "WyFormer (10,000)": (0.821, 0.0345, 0.167, 0.070),
        "WyCryst": (0.558, 0.016, 0.098, 0.044),
        "CrystalFormer": (0.786, 0.054, 0.199, 0.017),
        "SymmCD": (0.865, 0.043, 0.172, 0.022),
        "DiffCSP": (0.893, 0.069, 0.225, 0.311),
        "DiffCSP++": (0.892, 0.009, 0.137, 0.018),
        "FlowMM": (0.880, 0.036, 0.162, 0.404),
        "MatterGen": (0.912, 0.026, 0.243, 0.180),
    }
)
# Valid, unique, new, SUN, MSUN.
_BETALA: Mapping[str, tuple[float, float, float, float, float]] = MappingProxyType(
    {
        "MatterGen": (0.957, 0.951, 0.705, 0.002, 0.150),
        "DiffCSP": (0.957, 0.948, 0.662, 0.001, 0.085),
        "WyFormer-DFT": (0.952, 0.950, 0.664, 0.004, 0.078),
        "WyFormer": (0.934, 0.930, 0.664, 0.001, 0.019),
        "PLaID++": (0.960, 0.778, 0.242, 0.010, 0.076),
        "DiffCSP++": (0.953, 0.951, 0.620, 0.002, 0.050),
        "SymmCD": (0.734, 0.730, 0.470, 0.001, 0.024),
        "CrystalFormer": (0.699, 0.694, 0.318, 0.000, 0.031),
    }
)


def _rows(
    who: str,
    source: str,
    keys: tuple[str, ...],
    figures: Mapping[str, tuple[float, ...]],
) -> tuple[Row, ...]:
    return tuple(
        Row(f"{name} ({who})", dict(zip(keys, values, strict=True)), source)
        for name, values in figures.items()
    )


PUBLISHED_SUN = Reference(
    "published shares",
    "several, each named in its row",
    {
        TABLE: (
            *_rows("Szymanski", SZYMANSKI, ("within_000", "within_100"), _ON_HULL_AND_NEAR),
            *_rows("Kazeev", KAZEEV, ("novel_structure", "sun_000", "sun_080", "p1"), _KAZEEV),
            *_rows(
                "LeMat-GenBench",
                BETALA,
                ("valid", "unique", "novel_structure", "sun_000", "sun_100"),
                _BETALA,
            ),
            Row("FTCP (Zeni)", {"sun_100": 0.0, "rmsd": 1.49}, ZENI),
        )
    },
)
