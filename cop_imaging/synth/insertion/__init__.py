"""Lesions with known truth in real scans."""

from cop_imaging.synth.insertion.insert import Inserted, insert
from cop_imaging.synth.insertion.scan_model import ScanModel, model_scan
from cop_imaging.synth.insertion.terrain import terrain_of_scan

__all__ = ["Inserted", "ScanModel", "insert", "model_scan", "terrain_of_scan"]
