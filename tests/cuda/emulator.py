"""The emulated CUDA driver, for scripts: where a program finds it, and what it reports."""

import re
from pathlib import Path

from tool import Failure


class Emulator:
    """`driver`: the stand-in for libcuda.so.1; `work`: a folder for its report."""

    def __init__(self, driver, work):
        self.driver, self.report = str(driver), Path(work) / "emulator.report"
        self.seed = 0

    def environment(self, **settings):
        """For one run of a program: a fresh report, and an order of everything that no run before had."""
        self.report.unlink(missing_ok=True)
        self.seed += 1
        return {"HALFSTEP_LIBCUDA": self.driver, "HALFSTEP_EMULATOR_REPORT": str(self.report),
                "HALFSTEP_EMULATOR_SEED": str(self.seed),
                **{"HALFSTEP_EMULATOR_" + name.upper(): str(value) for name, value in settings.items()}}

    def lines(self):
        return self.report.read_text().splitlines() if self.report.exists() else []

    def summary(self):
        return self.lines()[-1].removeprefix("summary: ") if self.lines() else "no launches"

    def require_clean(self):
        """Fails unless the last run launched kernels and nothing was found."""
        match = re.fullmatch(r"(\d+) launches, \d+ thread instructions, (\d+) findings", self.summary())
        if not match or match[1] == "0" or match[2] != "0":
            raise Failure("the emulator reports:\n" + "\n".join(self.lines()[:5] or ["nothing"]))
