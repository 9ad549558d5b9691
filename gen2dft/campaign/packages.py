"""Which packages bring the names in a campaign file that do not ship with gen2dft."""

from __future__ import annotations

from gen2dft.campaign.spec import CampaignSpec
from gen2dft.plugins import package_of


def plugin_packages(spec: CampaignSpec) -> dict[str, str]:
    """Each name that a plugin brings, such as `gate rare-earth`, to name and version of its
    package.
    """
    named = [
        *(("generator", source.name) for source in spec.sources),
        ("engine", spec.screening.surrogate.engine),
        ("engine", spec.validation.engine),
        ("correction", spec.validation.correction),
        ("acquisition", spec.learning.acquisition),
        *(("gate", name) for name, _ in spec.screening.plan),
    ]
    packages = {f"{kind} {name}": package_of(f"gen2dft.{kind}s", name) for kind, name in named}
    return {name: package for name, package in packages.items() if package is not None}
