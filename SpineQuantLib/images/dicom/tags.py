"""DICOM attributes that are read, by keyword. Everything else in a header is skipped."""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "GROUPS", "PATIENT", "SPLITTERS", "TAGS"]

ATTRIBUTES = [
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SOPClassUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "BodyPartExamined",
    "Manufacturer",
    "ManufacturerModelName",
    "MagneticFieldStrength",
    "SequenceName",
    "PulseSequenceName",
    "SliceThickness",
    "SpacingBetweenSlices",
    "EchoTrainLength",
    "FlipAngle",
    "PatientSex",
    "PatientAge",
]
"""Kept with a case; none of them names the patient. Sex and age are what ranges depend on."""

SPLITTERS = [
    "StackID",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "ComplexImageComponent",
    "DiffusionBValue",
    "InversionTime",
    "TriggerTime",
    "AcquisitionNumber",
]
"""In these, images at one position may differ when a series mixes several volumes."""

PATIENT = ["PatientID", "PatientName", "PatientBirthDate"]
"""Compared while reading, and never kept; the birth date gives the age where the header does not say it."""

GROUPS = [
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameContentSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRModifierSequence",
    "MRImageFrameTypeSequence",
    "MRDiffusionSequence",
]
"""Functional groups of enhanced images, each a sequence of one item."""

TAGS = [
    *ATTRIBUTES,
    *SPLITTERS,
    *PATIENT,
    "StudyDate",
    "SOPInstanceUID",
    "InstanceNumber",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "EchoTime",
    "RepetitionTime",
    "ScanningSequence",
    "ScanOptions",
    "ContrastBolusAgent",
    "AcquisitionContrast",
    "EchoPulseSequence",
    "InversionRecovery",
    "SpecificCharacterSet",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
"""All that is read."""
