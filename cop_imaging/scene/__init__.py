"""Frames of reference on the lung crop, each computed on first use, once."""

from cop_imaging.scene.build import build_scene
from cop_imaging.scene.config import SceneConfig

__all__ = ["SceneConfig", "build_scene"]
