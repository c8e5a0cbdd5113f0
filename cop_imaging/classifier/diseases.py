"""Codes of the differential and what people call them."""

from __future__ import annotations

__all__ = ["OP", "TITLES"]

OP = "OP"
"""Organizing pneumonia of any cause."""

TITLES = {
    OP: "Organizing pneumonia, any cause",
    "NORMAL": "No diffuse lung disease",
    "COP": "Cryptogenic organizing pneumonia",
    "CEP": "Chronic eosinophilic pneumonia",
    "NSIP": "Non-specific interstitial pneumonia",
    "UIP": "Usual interstitial pneumonia",
    "HP_NF": "Hypersensitivity pneumonitis, non-fibrotic",
    "HP_F": "Hypersensitivity pneumonitis, fibrotic",
    "AIP_DAD": "Diffuse alveolar damage, acute interstitial pneumonia",
    "SARC": "Sarcoidosis",
    "CAP": "Bacterial pneumonia",
    "VIRAL": "Viral pneumonia",
    "ADENO": "Adenocarcinoma, pneumonic or lepidic",
    "LYMPHOMA": "Pulmonary lymphoma",
    "VASC": "Vasculitis or alveolar haemorrhage",
    "DRUG": "Drug-related lung disease",
    "SRD": "Lung disease of systemic rheumatic disease",
}
