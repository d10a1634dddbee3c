"""The section ``mitigate`` of a parameter file, whole: the loop, its directions, and what methods read for all rows."""

from __future__ import annotations

from edgebias.mitigate.base import Text
from edgebias.mitigate.methods.answer_prior import AnswerPriorSettings
from edgebias.mitigate.methods.conditional_steering import ConditionalSteeringSettings
from edgebias.mitigate.methods.instruction import InstructionSettings
from edgebias.mitigate.methods.reprompting import RepromptingSettings
from edgebias.mitigate.methods.self_debiasing import SelfDebiasingSettings
from edgebias.mitigate.settings import (
    DriverKeys,
    EvaluationKeys,
    LearningKeys,
    LoopKeys,
    ReferenceAnswerSettings,
)


class MitigateSettings(EvaluationKeys, LearningKeys, DriverKeys, LoopKeys):
    """Mitigation."""

    reference_answers: ReferenceAnswerSettings = ReferenceAnswerSettings()
    """Answers of the uncompressed build to everyday requests; learning, the guard and the scores read a third each."""
    instruction: Text = InstructionSettings().text
    """What the method instruction puts before every prompt."""
    self_debiasing: SelfDebiasingSettings = SelfDebiasingSettings()
    """Settings of the method self_debiasing."""
    answer_prior: AnswerPriorSettings = AnswerPriorSettings()
    """Settings of the method answer_prior."""
    conditional_steering: ConditionalSteeringSettings = ConditionalSteeringSettings()
    """Settings of the method conditional_steering."""
    reprompting: RepromptingSettings = RepromptingSettings()
    """Settings of the method reprompting."""
