"""Run: Apply that becomes Cancel, progress, the queue, the log."""

from slicer.i18n import tr as _


class RunSection:
    """The second section of the panel.

    :param ui: widgets of the form by name.
    :param logic: the module's logic.
    :param submit: puts the chosen volume into the queue.
    """

    def __init__(self, ui, logic, submit) -> None:
        self.ui, self.logic, self._submit = ui, logic, submit
        self._cancelling = False
        self._shown = []
        ui.applyButton.clicked.connect(self.onApply)
        ui.queueButton.clicked.connect(self.onQueue)
        ui.logButton.toggled.connect(self.onLog)
        ui.logTextEdit.visible = False
        ui.queueList.visible = False
        ui.progressBar.visible = False

    def onApply(self, _checked: bool = False) -> None:
        """Apply, or Cancel while something runs."""
        if self.logic.isRunning:
            self.cancel()
        else:
            self.ui.logTextEdit.clear()
            self._submit()

    def onQueue(self, _checked: bool = False) -> None:
        """Analyse this volume too."""
        self._submit()

    def onLog(self, shown: bool) -> None:
        """Show the log or fold it away."""
        self.ui.logTextEdit.visible = shown
        self.ui.logButton.text = _("Hide log") if shown else _("Show log")

    def cancel(self) -> None:
        """Cancel the volume selected in the queue, or all of it."""
        row = self.ui.queueList.currentRow
        waiting = [e for e in self.logic.queue.entries if not e.ended] if self.logic.queue else []
        chosen = waiting[row] if len(waiting) > 1 and 0 <= row < len(waiting) else None
        self.logic.cancel(chosen)
        self._cancelling = self.logic.isRunning and (chosen is None or chosen is self.logic.queue.current)
        self.update()

    def note(self, line: str) -> None:
        """Add a line to the log."""
        self.ui.logTextEdit.appendPlainText(line)

    def update(self, hasInput: bool = True, why: str = "") -> None:
        """Show where the queue stands."""
        queue = self.logic.queue
        running = self.logic.isRunning
        self._cancelling = self._cancelling and running
        button = self.ui.applyButton
        button.text = _("Cancelling …") if self._cancelling else _("Cancel") if running else _("Apply")
        button.enabled = (running and not self._cancelling) or (not running and hasInput)
        button.toolTip = _("End the analysis. Nothing of it is kept.") if running else why or _("Analyse the volume")
        self.ui.queueButton.enabled = running and hasInput
        self.ui.progressBar.visible = running
        self._list([e for e in queue.entries if not e.ended] if queue else [])
        current = queue.current if queue else None
        if current is not None and not self._cancelling:
            self.ui.progressBar.value = round(100 * current.fraction)
            self.ui.stageLabel.text = self._words(current)
        elif self._cancelling:
            self.ui.stageLabel.text = _("Cancelling; this takes at most two seconds")

    @staticmethod
    def _words(entry) -> str:
        from SpineQuantLib.job.remaining import duration

        left = entry.left.now()
        message = entry.message or _("starting")
        return f"{entry.name}: {message}" + (_(" · about {time} left").format(time=duration(left)) if left else "")

    def _list(self, waiting) -> None:
        names = [f"{e.name} · {e.state}" for e in waiting]
        if names == self._shown:
            return
        self._shown = names
        selected = self.ui.queueList.currentRow
        self.ui.queueList.clear()
        for name in names:
            self.ui.queueList.addItem(name)
        self.ui.queueList.visible = len(names) > 1
        if len(names) > 1 and 0 <= selected < len(names):
            self.ui.queueList.setCurrentRow(selected)
