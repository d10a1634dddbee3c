"""The vector that is shipped: the mean of those that were found without each fold of the calibration items.

The loop judges a fold under the vector that was found without it, so what it sees at its gains is the mean effect of
these vectors on new items. A vector found from all items is another one: more items make it stronger, and a loop that
is driven to the ideal under weaker vectors ships one that goes beyond. The mean does to new items, to first order, what
its parts do on average, and what differs from part to part for want of items cancels out of it (bagging, Breiman 1996).
Every item has a part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgebias.mitigate.steering.directions import Matrix
from edgebias.mitigate.steering.vector_file import model_hint, model_shape, read_control_vector, write_control_vector


def ship(weights: Path, *, directions_without: Sequence[Path], control_vector: Path) -> None:
    """Write the mean of the vectors in ``directions_without``, at a gain of 1.

    Args:
        weights: GGUF of the build that they were found on.
        directions_without: control vectors that `edgebias.mitigate.steering.finding` wrote, one of each fold.
        control_vector: file to write.

    Raises:
        InputError: a file is absent or unreadable, or a vector is of another model's shape.
    """
    shape = model_shape(weights)
    vectors = [read_control_vector(path, *shape) for path in directions_without]
    mean: Matrix = np.stack(vectors).mean(axis=0, dtype=np.float64).astype(np.float32)
    write_control_vector(mean, control_vector, model_hint(weights))
