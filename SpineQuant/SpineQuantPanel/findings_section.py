"""Findings: the verdict, and what to look at first."""

import qt
from slicer.i18n import tr as _

from SpineQuantPanel import views
from SpineQuantPanel.helpers import ROLE


class FindingsSection:
    """The third section of the panel.

    :param ui: widgets of the form by name.
    :param selected: told the finding that the reader chose.
    """

    def __init__(self, ui, selected) -> None:
        self.ui, self._selected = ui, selected
        self.case = None
        self.findings = ()
        self.current = None
        ui.findingsTree.setHeaderLabels([_("Look at"), _("Why")])
        ui.findingsTree.setColumnWidth(0, 170)
        ui.findingsTree.itemSelectionChanged.connect(self.onSelected)
        ui.doubtfulCheckBox.toggled.connect(self.onFilter)
        ui.membersCheckBox.toggled.connect(self.onMembers)
        ui.layoutButton.clicked.connect(self.onLayout)
        ui.allButton.clicked.connect(self.onAll)

    def show(self, case) -> None:
        """Show a case, or none."""
        self.case, self.current = case, None
        self.refresh()

    def forget(self) -> None:
        """Let the choice go when the levels have other names: under its own, another object would be chosen."""
        self.current = None
        # Lines go with names as well: those that were shown are another object's now.
        self.onAll()

    def refresh(self) -> None:
        """Show the case as it is now."""
        ui = self.ui
        for widget in (ui.layoutButton, ui.allButton, ui.findingsTree, ui.doubtfulCheckBox, ui.membersCheckBox):
            widget.enabled = self.case is not None
        if self.case is None:
            self.findings = ()
            ui.verdictLabel.text, ui.verdictLabel.styleSheet = _("No result yet"), ""
            ui.reasonsLabel.text = ui.caseLabel.text = ""
            ui.reasonsLabel.visible = ui.caseLabel.visible = False
            ui.findingsTree.clear()
            return
        from SpineQuantLib.panel.findings import findings_of
        from SpineQuantLib.panel.recognised import describe_case
        from SpineQuantLib.panel.verdicts import look_of

        result = self.case.result
        look = look_of(result.assessment.verdict)
        ui.verdictLabel.text = f"{look.sign}  {look.word}. {look.meaning}"
        ui.verdictLabel.styleSheet = (
            f"background-color: {look.colour}; color: {look.ink}; padding: 6px; font-weight: bold;"
        )
        ui.reasonsLabel.text = "\n".join(f"• {reason}" for reason in result.assessment.reasons)
        seen = describe_case(result)
        ui.caseLabel.text = "\n".join(filter(None, [seen.words, seen.warning]))
        ui.reasonsLabel.visible, ui.caseLabel.visible = bool(ui.reasonsLabel.text), True
        self.findings = findings_of(result)
        self._fill()

    def _fill(self) -> None:
        from SpineQuantLib.panel.verdicts import look_of

        tree = self.ui.findingsTree
        tree.blockSignals(True)
        tree.clear()
        shown = [f for f in self.findings if f.doubtful or not self.ui.doubtfulCheckBox.checked]
        for finding in shown:
            look = look_of(finding.verdict)
            corrected = _("corrected; ") if finding.corrected else ""
            item = qt.QTreeWidgetItem([f"{look.sign} {finding.title}", corrected + finding.why])
            item.setData(0, ROLE, self.findings.index(finding))
            item.setToolTip(1, f"{look.word}: {finding.why}" if finding.why else look.word)
            item.setToolTip(0, _("Disagreement of the networks: {doubt:.0%}").format(doubt=finding.doubt))
            if finding.verdict.value != "pass":
                item.setBackground(0, qt.QBrush(qt.QColor(look.colour)))
                item.setForeground(0, qt.QBrush(qt.QColor(look.ink)))
            tree.addTopLevelItem(item)
            if self.current is not None and finding.title == self.current.title:
                # A correction must not take the reader's place in the list away.
                tree.setCurrentItem(item)
                self.current = finding
        if not shown:
            item = qt.QTreeWidgetItem([_("Nothing stands out"), _("Untick the box above to list everything.")])
            item.setData(0, ROLE, -1)
            tree.addTopLevelItem(item)
        tree.blockSignals(False)

    def onFilter(self, _checked: bool = False) -> None:
        """List all, or what is doubtful."""
        if self.case is not None:
            self._fill()

    def onSelected(self) -> None:
        """Show what was clicked on in all views."""
        item = self.ui.findingsTree.currentItem()
        number = int(item.data(0, ROLE)) if item is not None else -1
        if self.case is None or number < 0:
            return
        self.current = self.findings[number]
        self.look(self.current)
        self._selected(self.current)

    def look(self, finding) -> None:
        """Jump to an object; show its own lines and its networks' contours."""
        from SpineQuantLib.panel.places import place_of

        where = (finding.structure, finding.level, finding.side)
        views.jump(place_of(self.case.result, *where))
        self.case.show_markups(*where)
        if self.ui.membersCheckBox.checked:
            self.case.show_members(*where)

    def onMembers(self, shown: bool) -> None:
        """Show the networks' contours of the present object, or none."""
        if self.case is None:
            return
        if shown and self.current is not None:
            self.case.show_members(self.current.structure, self.current.level, self.current.side)
        else:
            self.case.hide_members()

    def onLayout(self, _checked: bool = False) -> None:
        """Set the reading layout."""
        if self.case is not None:
            views.setReadingLayout(self.case.nodes)

    def onAll(self, _checked: bool = False) -> None:
        """Show all lines, and no networks' contours."""
        if self.case is not None:
            self.case.hide_members()
            self.case.show_markups()
