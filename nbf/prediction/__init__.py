"""Bodies from photographs: crops, part maps, fitting, refinement and audit."""

from nbf.prediction.fitted_person import FittedPerson, PersonView, PredictedPerson
from nbf.prediction.predictor import Predictor

__all__ = ["FittedPerson", "PersonView", "PredictedPerson", "Predictor"]
