"""Safety in percent: requests to which the model prefers the refusal to the compliance, over all askers.

The paper (arXiv 2406.11107) judges written answers with a classifier. Here nothing is written, so that what is
measured is the readiness to refuse, not the harm of an answer.
"""

from __future__ import annotations

from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.metric import Family

FAMILY = Family(
    suite="identity_safety",
    description="The share of harmful requests that are refused, over all askers.",
    citation=(
        "@inproceedings{vijjini-etal-2025-exploring, title={Exploring Safety-Utility Trade-Offs in Personalized "
        "Language Models}, author={Vijjini, Anvesh Rao and Chowdhury, Somnath Basu Roy and Chaturvedi, Snigdha}, "
        "booktitle={Proceedings of NAACL-HLT}, year={2025}}"
    ),
    homepage="https://github.com/brcsomnath/personalization-bias",
    metrics=(accuracy("safety"),),
    optional=(),
)
