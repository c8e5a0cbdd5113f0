"""What stands for a patient in every output, when the user wants the scans of one patient to be found together."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from pydicom import dcmread

from cop_imaging.ingest.parsing import DAMAGE

__all__ = ["CASE_LENGTH", "patient_case", "patient_hash"]

CASE_LENGTH = 12
"""Hexadecimal digits: two of a million cases share them with a chance of 0.2 %."""


def patient_case(path: Path, key: bytes) -> str | None:
    """A keyed hash of the patient identifier and its issuer: without the key nobody can tell whose it is, or try out.

    None when the file names no patient.

    Source
    ------
    HMAC (RFC 2104) with SHA-256; DICOM PS3.3 C.7.1.1 (Patient ID, Issuer of Patient ID).
    """
    try:
        header = dcmread(path, stop_before_pixels=True, force=True, specific_tags=["PatientID", "IssuerOfPatientID"])
        identifier = " ".join(str(header.get("PatientID") or "").split())
        issuer = " ".join(str(header.get("IssuerOfPatientID") or "").split())
    except DAMAGE:
        return None
    return patient_hash(identifier, issuer, key)


def patient_hash(identifier: str, issuer: str, key: bytes) -> str | None:
    """The same for an identifier that was read already; None when it is empty."""
    if not identifier:
        return None
    return hmac.new(key, f"{issuer}\0{identifier}".encode(), hashlib.sha256).hexdigest()[:CASE_LENGTH]
