"""The mitigate stage: a per-layer feedback loop on control vectors, and its evaluation beside two baselines."""
