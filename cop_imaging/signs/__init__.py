"""The radiological signs: one file each, seen in a scene, laid out as one vector."""

from cop_imaging.signs.observe import SIGNS, SignsConfig, observe, signs_with
from cop_imaging.signs.vector import schema_of, vectorize

__all__ = ["SIGNS", "SignsConfig", "observe", "schema_of", "signs_with", "vectorize"]
