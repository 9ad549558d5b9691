"""Named settings of engine `mlip`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from gen2dft.engines.installed import versions_of_packages
from gen2dft.engines.mlip.guards import DEFAULT, Guards
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.hashing import content_hash

PACKAGES = ("chgnet", "torch", "ase")


@dataclass(frozen=True)
class MLIPPreset:
    """Settings of a relaxation with positions and cell free (LBFGS on ASE's FrechetCellFilter).

    Parameters
    ----------
    name
        Name in the registry.
    fmax
        Converged when every (generalised) force is below, eV/Angstrom.
    max_steps
        Steps at most; a structure that needs more comes back with `converged=False`.
    model
        Name of the pretrained CHGNet.
    guards
        Bounds outside which the calculation fails.
    """

    name: str
    fmax: float
    max_steps: int
    model: str = "0.3.0"
    guards: Guards = DEFAULT

    @property
    def description(self) -> str:
        """Purpose of the preset, in one sentence."""
        return (
            f"surrogate CHGNet {self.model}: relaxed to {self.fmax:g} eV/Angstrom, "
            f"{self.max_steps} steps at most"
        )

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values."""
        return {
            "description": self.description,
            "settings_hash": self.settings_hash,
            **asdict(self),
        }

    @property
    def settings_hash(self) -> str:
        """Hash of the settings and of chgnet's version; 12 hexadecimal digits."""
        content = {
            **asdict(self),
            "optimizer": "LBFGS/FrechetCellFilter",
            "chgnet": versions()["chgnet"],
        }
        return content_hash(json.dumps(content, sort_keys=True), digits=12)


PRESETS: dict[str, MLIPPreset] = {
    preset.name: preset
    for preset in (
        MLIPPreset("chgnet-screen-v1", fmax=0.1, max_steps=100),
        MLIPPreset("chgnet-v1", fmax=0.05, max_steps=250),
    )
}


def get_preset(preset: str | MLIPPreset) -> MLIPPreset:
    """The preset itself, or the registered one of that name; CampaignError names the choices."""
    if isinstance(preset, MLIPPreset):
        return preset
    if preset not in PRESETS:
        raise CampaignError(not_one_of("preset of engine 'mlip'", preset, PRESETS))
    return PRESETS[preset]


def versions() -> dict[str, str]:
    """Versions of the programs that decide the result; SettingsError if they are not installed."""
    return versions_of_packages(PACKAGES, "mlip", "pip install 'gen2dft[mlip]'")
