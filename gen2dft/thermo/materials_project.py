"""The whole hull of the Materials Project, of 2025, which ships: compositions and energies.

Materials Project data, CC BY 4.0 (Jain et al., APL Mater. 1, 011002 (2013)). Where a phase has a
GGA or GGA+U energy with the MP2020 corrections, that one is taken: the scale of the labels. Others
have energies of the scheme that mixes in r2SCAN only and are marked. `gen2dft data build hull`
builds the file.
"""

from __future__ import annotations

import functools
import gzip
from importlib import resources

from gen2dft.campaign.hull import WHOLE_HULL
from gen2dft.errors import StoreError
from gen2dft.thermo.hull import ReferenceHull

NAME = WHOLE_HULL
FILE = "materials_project_2025.json.gz"
HASH = "69aa40435fda0fb1"
REMEDY = "install gen2dft again, or build it: gen2dft data build hull --source TABLE"


@functools.cache
def whole_hull() -> ReferenceHull:
    """The hull that ships; StoreError if its file is missing, damaged or another one."""
    file = resources.files("gen2dft.thermo") / FILE
    try:
        data = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as err:
        raise StoreError(f"the hull {NAME} cannot be read ({err}): {REMEDY}") from err
    hull = ReferenceHull.from_bytes(data, f"hull {NAME}")
    if hull.hull_hash != HASH:
        raise StoreError(
            f"the file of hull {NAME} has the content {hull.hull_hash}, not {HASH}, which this "
            f"version ships: {REMEDY}"
        )
    return hull


def packed(hull: ReferenceHull) -> bytes:
    """The content of the file for a hull; equal hulls give equal bytes."""
    return gzip.compress(hull.to_bytes(), compresslevel=9, mtime=0)
