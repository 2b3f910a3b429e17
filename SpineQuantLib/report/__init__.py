"""Tables, pictures, HTML, DICOM SEG and SR."""
