"""The benchmark files that the study reads, each with the git blob id of its LF form.

The ids pin content, not a place: any carrier of the same bytes will do. Those of StereoSet and of the six BBQ files
above 4 MB were compared with the upstream repositories; the others were computed from the pinned carrier. Upstream:
nyu-mll/BBQ at bea11bd9, moinnadeem/StereoSet at ead7d086, nyu-mll/crows-pairs at 8aaac11c, uclanlp/corefBias at
0bce984d, rudinger/winogender-schemas at 1c7f8b48, amazon-science/bold at 3ad652c7.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchmarkFile:
    """A path relative to the benchmark folder and the git blob id of the file's bytes."""

    path: str
    blob: str


BENCHMARK_FILES: tuple[BenchmarkFile, ...] = (
    BenchmarkFile("BBQ/data/Age.jsonl", "5c5e7586163b869fe029e77e63716f2026e4ae08"),
    BenchmarkFile("BBQ/data/Disability_status.jsonl", "9aedeccaf599299cdfa523531d625ae85ecb9131"),
    BenchmarkFile("BBQ/data/Gender_identity.jsonl", "dc79ceaaa9e7126edc99a200d632899c50274b16"),
    BenchmarkFile("BBQ/data/Nationality.jsonl", "cba9b63d34536cb51a6cbae76b189df3d2a945c0"),
    BenchmarkFile("BBQ/data/Physical_appearance.jsonl", "8cbdf83265459083224e3a2d37809294ff12ad77"),
    BenchmarkFile("BBQ/data/Race_ethnicity.jsonl", "68daf3d692b27a10596772b3b15742b26f0b110e"),
    BenchmarkFile("BBQ/data/Race_x_SES.jsonl", "905cd8a5b8734e2063fe524e69a38f0a71c75907"),
    BenchmarkFile("BBQ/data/Race_x_gender.jsonl", "dd09a905b284690445d36259d675243950fa0bd7"),
    BenchmarkFile("BBQ/data/Religion.jsonl", "44c1940ee22f00891ab4a5526a293691957aeacb"),
    BenchmarkFile("BBQ/data/SES.jsonl", "78d11ffbdb70f501617345e5c697d00045d57c29"),
    BenchmarkFile("BBQ/data/Sexual_orientation.jsonl", "a06351f4dd67ba30632396eeb0c3677c67b7d387"),
    BenchmarkFile("BBQ/data/additional_metadata.csv", "564eb184be7427cefe9f1ffd8fd03cb700e6aa98"),
    BenchmarkFile("StereoSet/data/dev.json", "637b1e3d284a3c629b74a4659c583b8eca9bd13e"),
    BenchmarkFile("CrowS-Pairs/data/crows_pairs_anonymized.csv", "28fa7d906a83d441001fb2a0eeae28c6d64a99e1"),
    BenchmarkFile("WinoBias/data/pro_stereotyped_type1.txt.dev", "26235f6f584682f52f871a33eda6e7195023b6fa"),
    BenchmarkFile("WinoBias/data/pro_stereotyped_type1.txt.test", "14dfa3788194ffd9b7bce455676b9a312e547260"),
    BenchmarkFile("WinoBias/data/pro_stereotyped_type2.txt.dev", "584d9c1cc6672b014d9aac3c2383650866470b61"),
    BenchmarkFile("WinoBias/data/pro_stereotyped_type2.txt.test", "e0c786e81a6f8e7ee84ba1cb76167cc0bf941c95"),
    BenchmarkFile("WinoBias/data/anti_stereotyped_type1.txt.dev", "ddcd659e0070e5fa6d8b0608b00ffd24d7e913b5"),
    BenchmarkFile("WinoBias/data/anti_stereotyped_type1.txt.test", "c8872b23832acb49a123f7a8e0e6dee4c7b0d35b"),
    BenchmarkFile("WinoBias/data/anti_stereotyped_type2.txt.dev", "04d2d43335149db830bcf487e71e3ad84b5f0ad2"),
    BenchmarkFile("WinoBias/data/anti_stereotyped_type2.txt.test", "d83b0730881d470a76d95c9d2d5992a343bd2423"),
    BenchmarkFile("WinoBias/data/male_occupations.txt", "bb67f8e6a5b5789ed8dbef4205422e08a4d70006"),
    BenchmarkFile("WinoBias/data/female_occupations.txt", "2f1376746ed0a8ad53fdbaa7e53d1d5f2c84994d"),
    BenchmarkFile("Winogender/data/all_sentences.tsv", "7cbb74bbefc0c2cf3ba199d9ca96b861073be624"),
    BenchmarkFile("Winogender/data/occupations-stats.tsv", "f5ce6f35b10df1c3e28f4d05dccdc247a871acd7"),
    BenchmarkFile("BOLD/data/prompts/gender_prompt.json", "f834aab2ed947e9a5493441465bdd9a41f12f4a2"),
    BenchmarkFile("BOLD/data/prompts/political_ideology_prompt.json", "1cae1091a5841f562848524be3b48ed24572b747"),
    BenchmarkFile("BOLD/data/prompts/profession_prompt.json", "77ef6da75140912a97db11b484ffdad73ec91078"),
    BenchmarkFile("BOLD/data/prompts/race_prompt.json", "f4c6123010decb9a265570224327f001494c4c14"),
    BenchmarkFile("BOLD/data/prompts/religious_ideology_prompt.json", "ac0620ae637ecf1fe525ab9e9779b038526503ed"),
    BenchmarkFile("BOLD/data/wikipedia/profession_wiki.json", "43fcf40ed78453d170af6046083c143db822eef9"),
)

PATHS: tuple[str, ...] = tuple(file.path for file in BENCHMARK_FILES)
"""The outputs of ``fetch benchmarks``, relative to its output folder."""
