"""From the feature vector to a calibrated, explained likelihood, with numpy alone."""

from cop_imaging.classifier.config import ClassifierConfig
from cop_imaging.classifier.diseases import TITLES
from cop_imaging.classifier.model import Model, load_model
from cop_imaging.classifier.predict import predict

__all__ = ["TITLES", "ClassifierConfig", "Model", "load_model", "predict"]
