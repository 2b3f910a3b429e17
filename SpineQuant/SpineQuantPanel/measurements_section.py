"""Measurements: the table, plots, copies and exports."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SpineQuantPanel import dicom, views
from SpineQuantPanel.helpers import told

_COLOURS = {"not measured": "#E3E6E8", "doubtful": "#FFE8B3", "outside": "#FBD9C7", "corrected": "#D6E8F7"}
_INK = "#000000"
_WIDEST = {0: 118, 1: 130, 6: 160}
"""Pixels, so that the value is in view without scrolling; the tooltip has the rest."""


class MeasurementsSection:
    """The fourth section of the panel.

    :param ui: widgets of the form by name.
    :param logic: the module's logic.
    """

    def __init__(self, ui, logic) -> None:
        from SpineQuantLib.anatomy.structures import Structure

        self.ui, self.logic = ui, logic
        self.case = None
        self._rows, self._shown = (), []
        self._sort = (None, False)
        for text, data in (
            (_("All structures"), ""),
            (_("Discs"), Structure.DISC.value),
            (_("Dural sac"), Structure.CANAL.value),
            (_("Foramina"), Structure.FORAMEN.value),
            (_("Vertebrae"), Structure.VERTEBRA.value),
            (_("Alignment"), Structure.SPINE.value),
        ):
            ui.structureComboBox.addItem(text, data)
        for text, data in (
            (_("All values"), ""),
            (_("Outside the range"), "outside"),
            (_("Doubtful"), "doubtful"),
            (_("Not measured"), "not measured"),
            (_("Corrected"), "corrected"),
        ):
            ui.kindComboBox.addItem(text, data)
        ui.filterLineEdit.textChanged.connect(self.onFilter)
        ui.structureComboBox.activated.connect(self.onFilter)
        ui.kindComboBox.activated.connect(self.onFilter)
        ui.measurementsTable.horizontalHeader().sectionClicked.connect(self.onSort)
        ui.measurementsTable.itemSelectionChanged.connect(self.onSelected)
        ui.plotButton.clicked.connect(self.onPlot)
        ui.copyButton.clicked.connect(self.onCopy)
        ui.exportButton.clicked.connect(self.onExport)
        ui.dicomButton.clicked.connect(self.onDicom)

    def show(self, case) -> None:
        """Show a case, or none."""
        self.case = case
        self.ui.plotComboBox.clear()
        for key in case.nodes.plots if case is not None else ():
            self.ui.plotComboBox.addItem(key, key)
        self.refresh()

    def refresh(self) -> None:
        """Show the case as it is now."""
        ui, case = self.ui, self.case
        for widget in (ui.copyButton, ui.exportButton, ui.exportComboBox, ui.measurementsTable):
            widget.enabled = case is not None
        ui.plotButton.enabled = case is not None and ui.plotComboBox.count > 0
        ui.exportComboBox.clear()
        self._rows = ()
        if case is not None:
            from SpineQuantLib.panel.table import rows_of

            self._rows = rows_of(case.result)
            for name in case.available():
                ui.exportComboBox.addItem(name, name)
        dicom = case is not None and "DICOM SEG and SR" in case.available()
        ui.dicomButton.enabled = dicom
        ui.dicomButton.toolTip = (
            _("Put segmentation and measurements into Slicer's DICOM database, beside the scan.")
            if dicom
            else _("Only cases that were analysed from DICOM files have SEG and SR.")
        )
        self._fill()

    def selectedKey(self) -> str:
        """Key of the measurement whose row is selected; empty where none is."""
        row = self.ui.measurementsTable.currentRow()
        return self._shown[row].key if 0 <= row < len(self._shown) else ""

    def forget(self) -> None:
        """Let the selected row go when the levels have other names: its key is another object's now."""
        self._select(-1)

    def _select(self, place: int) -> None:
        """Select a row, or none, without a jump to it."""
        table = self.ui.measurementsTable
        blocked = table.blockSignals(True)
        table.clearSelection()
        table.setCurrentCell(place, 0)
        if place >= 0:
            table.scrollToItem(table.item(place, 0))
        table.blockSignals(blocked)

    def _fill(self) -> None:
        from SpineQuantLib.anatomy.structures import Structure
        from SpineQuantLib.panel.table import HEADINGS, matching

        ui, table = self.ui, self.ui.measurementsTable
        wanted = ui.structureComboBox.itemData(ui.structureComboBox.currentIndex)
        only = ui.kindComboBox.itemData(ui.kindComboBox.currentIndex)
        key = self.selectedKey()
        rows = matching(self._rows, ui.filterLineEdit.text, Structure(wanted) if wanted else None, only or "")
        column, down = self._sort
        if column is not None:
            rows = sorted(rows, key=lambda row: self._order(row, column), reverse=down)
        table.blockSignals(True)
        table.columnCount, table.rowCount = len(HEADINGS), len(rows)
        table.setHorizontalHeaderLabels(list(HEADINGS))
        for r, row in enumerate(rows):
            if r < len(self._shown) and self._shown[r] == row:
                continue  # there already; an edit changes few rows, and the reader waits
            for c, text in enumerate(row.cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(row.about)
                if c in (2, 4, 5):
                    item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                if row.kind:
                    item.setBackground(qt.QBrush(qt.QColor(_COLOURS[row.kind])))
                    item.setForeground(qt.QBrush(qt.QColor(_INK)))
                table.setItem(r, c, item)
        table.resizeColumnsToContents()
        for column, widest in _WIDEST.items():
            table.setColumnWidth(column, min(table.columnWidth(column), widest))
        self._shown = rows
        # A correction must not take the reader's place in the table away.
        self._select(next((r for r, row in enumerate(rows) if key and row.key == key), -1))
        table.blockSignals(False)

    @staticmethod
    def _order(row, column: int):
        """Values by size, text by the alphabet; absent values last."""
        if column == 2:
            return (row.value is None, row.value or 0.0, "")
        return (row.cells[column] == "", 0.0, row.cells[column])

    def onFilter(self, _what=None) -> None:
        """Show the rows that match."""
        self._fill()

    def onSort(self, column: int) -> None:
        """Sort by a column; the second time the other way round, the third time as the case has it."""
        if self._sort[0] != column:
            self._sort = (column, False)
        else:
            self._sort = (column, True) if not self._sort[1] else (None, False)
        self._fill()

    def onSelected(self) -> None:
        """Show where the selected value was measured."""
        key = self.selectedKey()
        if self.case is None or not key:
            return
        from SpineQuantLib.panel.places import place_of_row

        row = self.case.review.row(key)
        views.jump(place_of_row(self.case.result, row))
        self.case.hide_members()
        self.case.show_markups(row.structure, row.level, row.side)

    def onPlot(self, _checked: bool = False) -> None:
        """Show the chosen plot."""
        combo = self.ui.plotComboBox
        views.showPlot(self.case.nodes, combo.itemData(combo.currentIndex) or "")

    def onCopy(self, _checked: bool = False) -> None:
        """Put the rows shown onto the clipboard."""
        from SpineQuantLib.panel.table import as_text

        qt.QApplication.clipboard().setText(as_text(self._shown))

    def onExport(self, _checked: bool = False) -> None:
        """Save a copy of a file of the case."""
        combo = self.ui.exportComboBox
        name = combo.itemData(combo.currentIndex)
        with told(_("The file could not be exported.")):
            path = self.case.available()[name]
            start = str(Path(slicer.app.defaultScenePath) / f"{self.case.folder.name}-{path.name}")
            if path.is_dir():
                target = qt.QFileDialog.getExistingDirectory(self.ui.exportButton, name, str(Path(start).parent))
                target = str(Path(target) / f"{self.case.folder.name}-{path.name}") if target else ""
            else:
                target = qt.QFileDialog.getSaveFileName(self.ui.exportButton, name, start, f"*{path.suffix}")
            if target:
                self.case.export(name, Path(target))

    def onDicom(self, _checked: bool = False) -> None:
        """Put SEG and SR into Slicer's DICOM database."""
        with told(_("SEG and SR could not be put into the DICOM database.")):
            count = dicom.intoDatabase(self.case)
            slicer.util.infoDisplay(
                _("{count} DICOM files are in the database now, in the study of the scan.").format(count=count)
            )
