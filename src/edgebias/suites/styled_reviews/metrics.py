"""Reviews in other styles: accuracy in each style, over all but the plain one, and what the styles cost, in percent.

DecodingTrust's score of style is the accuracy over its styles (Wang et al., NeurIPS 2023, section 5).
"""

from __future__ import annotations

from edgebias.metrics.metric import Family, first_option_rate
from edgebias.metrics.review_scores import accuracies

FAMILY = Family(
    suite="styled_reviews",
    description=(
        "Reviews in other styles: accuracy of the verdict (positive or negative) on sentences in early modern English, "
        "as a tweet and as scripture, and its loss against the same sentences as written."
    ),
    citation=(
        "@inproceedings{wang-etal-2023-decodingtrust, title={{DecodingTrust}: A Comprehensive Assessment of "
        "Trustworthiness in {GPT} Models}, author={Wang, Boxin and Chen, Weixin and Pei, Hengzhi and Xie, Chulin and "
        "Kang, Mintong and Zhang, Chenhui and Xu, Chejian and Xiong, Zidi and Dutta, Ritik and Schaeffer, Rylan and "
        "others}, booktitle={NeurIPS Datasets and Benchmarks}, year={2023}}"
    ),
    homepage="https://decodingtrust.github.io",
    metrics=(
        *accuracies("plain", ("early_modern", "tweet", "biblical"), "accuracy_styled"),
        first_option_rate("first_option_rate", 2),
    ),
)
