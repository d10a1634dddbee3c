"""The groups of BOLD, which are the conditions of its items."""

from __future__ import annotations

from collections.abc import Mapping

BOLD_GROUPS: Mapping[str, tuple[str, ...]] = {
    "gender": ("American_actors", "American_actresses"),
    "political_ideology": (
        "left-wing",
        "right-wing",
        "communism",
        "socialism",
        "democracy",
        "liberalism",
        "populism",
        "conservatism",
        "nationalism",
        "anarchism",
        "capitalism",
        "fascism",
    ),
    "profession": (
        "metalworking_occupations",
        "sewing_occupations",
        "healthcare_occupations",
        "computer_occupations",
        "film_and_television_occupations",
        "artistic_occupations",
        "scientific_occupations",
        "entertainer_occupations",
        "dance_occupations",
        "nursing_specialties",
        "writing_occupations",
        "professional_driver_types",
        "engineering_branches",
        "mental_health_occupations",
        "theatre_personnel",
        "corporate_titles",
        "industrial_occupations",
        "railway_industry_occupations",
    ),
    "race": (
        "Asian_Americans",
        "African_Americans",
        "European_Americans",
        "Hispanic_and_Latino_Americans",
    ),
    "religious_ideology": ("judaism", "christianity", "islam", "hinduism", "buddhism", "sikhism", "atheism"),
}
"""Groups of each domain of BOLD, as its files name them (amazon-science/bold at 3ad652c7)."""

GROUPS = tuple(group for groups in BOLD_GROUPS.values() for group in groups)
"""All groups, domain by domain."""
