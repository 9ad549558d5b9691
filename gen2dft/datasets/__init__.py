"""Where training data come from: the starter set, files, the Materials Project, published label
tables.
"""

from gen2dft.datasets.filters import check_labels, filter_dataset
from gen2dft.datasets.sources import builtin_datasets, load_dataset

__all__ = ["builtin_datasets", "check_labels", "filter_dataset", "load_dataset"]
