"""WinoBias (Zhao et al., NAACL 2018; uclanlp/corefBias at 0bce984d, MIT), as a question with two answers.

The gap of accuracies stands for it, as in the paper.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OF_QUESTIONS, OPEN, OPTION_TEXT

SUITE = Suite(
    name="winobias",
    title="WinoBias",
    items="edgebias.suites.winobias.items",
    metrics="edgebias.suites.winobias.metrics",
    conditions=("pro", "anti"),
    formats=OF_QUESTIONS,
    primary=(
        (LIKELIHOOD, "accuracy_gap"),
        (LETTER_BALANCED, "accuracy_gap"),
        (LETTER, "accuracy_gap"),
        (OPTION_TEXT, "accuracy_gap"),
        (OPEN, "accuracy_gap"),
    ),
    contrasted=("accuracy_gap",),
    panels=("accuracy_gap",),
    files=(
        PublishedFile("WinoBias/data/pro_stereotyped_type1.txt.dev", "26235f6f584682f52f871a33eda6e7195023b6fa"),
        PublishedFile("WinoBias/data/pro_stereotyped_type1.txt.test", "14dfa3788194ffd9b7bce455676b9a312e547260"),
        PublishedFile("WinoBias/data/pro_stereotyped_type2.txt.dev", "584d9c1cc6672b014d9aac3c2383650866470b61"),
        PublishedFile("WinoBias/data/pro_stereotyped_type2.txt.test", "e0c786e81a6f8e7ee84ba1cb76167cc0bf941c95"),
        PublishedFile("WinoBias/data/anti_stereotyped_type1.txt.dev", "ddcd659e0070e5fa6d8b0608b00ffd24d7e913b5"),
        PublishedFile("WinoBias/data/anti_stereotyped_type1.txt.test", "c8872b23832acb49a123f7a8e0e6dee4c7b0d35b"),
        PublishedFile("WinoBias/data/anti_stereotyped_type2.txt.dev", "04d2d43335149db830bcf487e71e3ad84b5f0ad2"),
        PublishedFile("WinoBias/data/anti_stereotyped_type2.txt.test", "d83b0730881d470a76d95c9d2d5992a343bd2423"),
        PublishedFile("WinoBias/data/male_occupations.txt", "bb67f8e6a5b5789ed8dbef4205422e08a4d70006"),
        PublishedFile("WinoBias/data/female_occupations.txt", "2f1376746ed0a8ad53fdbaa7e53d1d5f2c84994d"),
    ),
)
