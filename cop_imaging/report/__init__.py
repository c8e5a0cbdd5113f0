"""The result of one series as files: report.json, report.html, features.csv and masks."""

from cop_imaging.report.analysis import Analysis
from cop_imaging.report.html import report_html
from cop_imaging.report.masks import read_lung_mask
from cop_imaging.report.methods import methods_paragraph
from cop_imaging.report.pictures import Pictures, draw_pictures
from cop_imaging.report.row import row_columns
from cop_imaging.report.schema import report_json, report_json_schema
from cop_imaging.report.write import check_output, write_report

__all__ = [
    "Analysis",
    "Pictures",
    "check_output",
    "draw_pictures",
    "methods_paragraph",
    "read_lung_mask",
    "report_html",
    "report_json",
    "report_json_schema",
    "row_columns",
    "write_report",
]
