"""Results in the formats that others read: tables of objects, polygons, DICOM SEG, NIfTI."""
