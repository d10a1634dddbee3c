"""Write the mean of the directions of all folds."""

from __future__ import annotations

from edgebias.stages.options import DirectionsWithout, Weights, WrittenControlVector


def run(weights: Weights, directions_without: DirectionsWithout, control_vector: WrittenControlVector) -> None:
    r"""Write the mean of the directions found without each fold: the vector that is shipped.

    Raises:
        InputError: a file is absent or unreadable, or a vector is of another model's shape.

    Example:
        edgebias shipped-directions --weights data/models/m/wanda50_q8_0.gguf \
          --directions-without all_but_fold_1.gguf --directions-without all_but_fold_2.gguf \
          --control-vector mean_of_folds.gguf
    """
    from edgebias.mitigate.steering.shipped_vector import ship

    ship(weights, directions_without=directions_without, control_vector=control_vector)
