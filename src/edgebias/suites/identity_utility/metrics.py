"""Utility in percent: accuracy on exam questions, over all askers (arXiv 2406.11107)."""

from __future__ import annotations

from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.metric import Family

FAMILY = Family(
    suite="identity_utility",
    description="Accuracy on exam questions with four options, over all askers.",
    citation=(
        "@inproceedings{vijjini-etal-2025-exploring, title={Exploring Safety-Utility Trade-Offs in Personalized "
        "Language Models}, author={Vijjini, Anvesh Rao and Chowdhury, Somnath Basu Roy and Chaturvedi, Snigdha}, "
        "booktitle={Proceedings of NAACL-HLT}, year={2025}}"
    ),
    homepage="https://github.com/brcsomnath/personalization-bias",
    metrics=(accuracy("utility"),),
    optional=(),
)
