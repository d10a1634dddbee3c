"""All tables of a study, in the order of the pipeline, and a file of each to look at."""

from __future__ import annotations

from dataclasses import dataclass

from edgebias.core.table import Table
from edgebias.infer.responses import RESPONSE, ROUND
from edgebias.infer.robustness.ask import ROBUSTNESS
from edgebias.mitigate.probes.layer_probes import LAYER_PROBE
from edgebias.mitigate.reductions import MITIGATION
from edgebias.mitigate.reference_answers import REFERENCE_ANSWER
from edgebias.mitigate.wins_back import WINS_BACK
from edgebias.score.contrasts.flips import CELL_FLIP
from edgebias.score.contrasts.table import CONTRAST
from edgebias.score.decomposition import DECOMPOSITION
from edgebias.score.inheritance.table import INHERITANCE, MITIGATED, TREND, WRITTEN_TEXTS
from edgebias.score.personalisation.mitigations import MITIGATION_SCORE
from edgebias.score.personalisation.table import IDENTITY_SCORE, PERSONALISATION
from edgebias.score.robustness.tables import FLIP, LEVEL, POSITION, VARIANCE
from edgebias.score.rounds import OVER_TIME, TRAJECTORY
from edgebias.score.table import SCORE
from edgebias.score.trust.associations import CORRELATION
from edgebias.score.trust.controls import CONTROL
from edgebias.score.trust.doses import DOSE
from edgebias.score.trust.table import TRUST
from edgebias.suites.item import ITEM
from edgebias.train.augment import AUGMENTED_TEXT
from edgebias.train.damage.effects import DAMAGE_DOSE, DAMAGE_EFFECT, DAMAGE_MENDED
from edgebias.train.damage.run_table import DAMAGE_RUN
from edgebias.train.misalignment import EMBEDDING_SHIFT, GROUP_DATA
from edgebias.train.trajectory import TRAINING


@dataclass(frozen=True)
class Listed:
    """A table, and what stands for its placeholders in the file that the documentation shows.

    Attributes:
        table: its declaration.
        example: value of each placeholder in the path; a cell of the default study, where it names no other study.
        also: further files that hold such a table.
        extends: the table whose columns it begins with.
    """

    table: Table
    example: dict[str, str]
    also: str = ""
    extends: Table | None = None

    @property
    def example_path(self) -> str:
        """The file that the documentation shows, relative to the study's folder."""
        return self.table.path.format(**{"study": "edge", **self.example})


_MODEL = {"environment": "edge", "model": "smollm2-135m-instruct"}
_FULL = {**_MODEL, "variant": "full"}
_EDGE_BUILD = {**_MODEL, "variant": "wanda50_q8_0"}
_SUITE = {"suite": "forced_choice"}  # our own: benchmark text of others is never printed
_MITIGATION = "results/{study}/mitigation/{environment}/{model}/{variant}/{method}"

TABLES = (
    Listed(ITEM, _SUITE),
    Listed(TRAINING, {"model": "smollm2-135m-instruct", "variant": "tuned"}),
    Listed(AUGMENTED_TEXT, _FULL | {"study": "inheritance", "kind": "contextual_explicit"}),
    Listed(GROUP_DATA, _FULL | {"study": "inheritance"}),
    Listed(EMBEDDING_SHIFT, _FULL | {"study": "inheritance"}),
    Listed(RESPONSE, _FULL | _SUITE, f"`{_MITIGATION}/responses.parquet`"),
    Listed(ROUND, _EDGE_BUILD, extends=RESPONSE),
    Listed(SCORE, _FULL | _SUITE),
    Listed(MITIGATION, _EDGE_BUILD | {"method": "none"}, extends=SCORE),
    Listed(WINS_BACK, {"study": "wins_back"}),
    Listed(REFERENCE_ANSWER, _MODEL),
    Listed(LAYER_PROBE, _EDGE_BUILD),
    Listed(OVER_TIME, _EDGE_BUILD, extends=SCORE),
    Listed(TRAJECTORY, _EDGE_BUILD),
    Listed(CONTRAST, {}),
    Listed(CELL_FLIP, {}),
    Listed(DECOMPOSITION, {"study": "mix"}),
    Listed(TRUST, {"study": "compression"}),
    Listed(CONTROL, {"study": "compression"}),
    Listed(CORRELATION, {"study": "compression"}),
    Listed(DOSE, {"study": "compression"}),
    Listed(PERSONALISATION, {"study": "personalisation"}),
    Listed(IDENTITY_SCORE, {"study": "personalisation"}),
    Listed(MITIGATION_SCORE, {"study": "personalisation_defences"}),
    Listed(DAMAGE_RUN, {"study": "damage"}),
    Listed(DAMAGE_EFFECT, {"study": "damage"}),
    Listed(DAMAGE_DOSE, {"study": "damage"}),
    Listed(DAMAGE_MENDED, {"study": "damage"}),
    Listed(INHERITANCE, {"study": "inheritance"}),
    Listed(TREND, {"study": "inheritance"}),
    Listed(MITIGATED, {"study": "inheritance"}),
    Listed(WRITTEN_TEXTS, {"study": "inheritance"}),
    Listed(ROBUSTNESS, _FULL),
    Listed(VARIANCE, {}),
    Listed(POSITION, {}),
    Listed(FLIP, {}),
    Listed(LEVEL, {}),
)
