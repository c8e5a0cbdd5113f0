"""cop_imaging: from a chest CT series to measured signs of organizing pneumonia and a calibrated likelihood."""
