"""Counts test cases in Meson's testlog.json.

Meson counts programs, and calls one that crashed before its last case, or printed none, skipped or
passed in some of its reports.  Here every TAP line is a case, and a program that crashes, runs out
of time, prints another number of cases than it planned, or none at all, adds one failure to those
it printed.

    tally = Tally()
    tally.add_log("build/meson-logs/testlog.json")
    print(tally)                    # 12 passed, 0 failed, 1 skipped
"""
import json
import re

CASE = re.compile(r"(not )?ok\b\s*\d*\s*(?:- )?(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(?:# *skip\S* *(.*))?$", re.IGNORECASE)
SKIP = re.compile(r"# *skip\S* *(.*)$", re.IGNORECASE)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # texts for people
        self.skips = []  # (reason, case)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def fail(self, text):
        self.failed += 1
        self.failures.append(text)

    def skip(self, name, reason):
        self.skipped += 1
        self.skips.append((reason or "no reason given", name))

    def add_log(self, path):
        """Adds all programs of a testlog.json; returns how many there were."""
        n = 0
        with open(path, encoding="utf-8") as log:
            for line in log:
                self.add_program(json.loads(line))
                n += 1
        return n

    def add_program(self, run):
        """Adds one program: an object of testlog.json."""
        name = run["name"].split(" / ")[-1]  # of "kiln:base/core / test-base-core-err"
        result, status = run["result"], run["returncode"]
        planned, cases, failed, notes = None, 0, 0, []
        for line in (run["stdout"] or "").splitlines():
            plan, case = PLAN.match(line), CASE.match(line)
            if plan:
                planned = int(plan[1])
                if planned == 0 and plan[2] is not None:
                    self.skip(name, plan[2])
            elif case:
                cases += 1
                failed += self.add_case(name, case, notes)
                notes = []
            elif line.startswith("#"):
                notes.append(line)
            elif line.startswith("Bail out!"):
                planned = -1
        wrong = why_unsound(result, status, planned, cases, failed)
        if wrong:
            tail = (run.get("stderr") or "").strip().splitlines()[-40:]
            self.fail("\n".join([f"{name}: {wrong}", *notes, *tail]))

    def add_case(self, name, case, notes):
        is_bad, title = case[1], case[2].strip()
        skip = SKIP.search(title)
        if is_bad:
            self.fail("\n".join([f"{name}: {title}", *notes]))
        elif skip:
            self.skip(f"{name}: {title[:skip.start()].strip()}", skip[1])
        else:
            self.passed += 1
        return 1 if is_bad else 0


def why_unsound(result, status, planned, cases, failed):
    """What is wrong with a program beside the cases that it printed as failed, or None."""
    if result in ("TIMEOUT", "INTERRUPT"):
        return f"ended by {result.lower()} after {cases} cases"
    if status < 0 or status >= 128:
        return f"crashed (status {status}) after {cases} cases"
    if planned is None:
        return f"printed no plan (status {status}, {cases} cases)"
    if planned == -1:
        return f"gave up after {cases} cases"
    if cases != planned:
        return f"printed {cases} cases, planned {planned} (status {status})"
    if status != 0 and not failed:
        return f"ended with status {status} although no case failed"
    return None
