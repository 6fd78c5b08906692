"""TAP for gates: a case is a sentence and the list of what offends against it."""


class Tap:
    def __init__(self):
        self.cases = []

    def case(self, sentence, offences):
        self.cases.append((sentence, list(offences)))

    def finish(self):
        """Prints all; returns the exit status."""
        print(f"1..{len(self.cases)}")
        for i, (sentence, offences) in enumerate(self.cases, 1):
            for offence in offences:
                print("# " + str(offence).rstrip().replace("\n", "\n# "))
            print(f"{'not ok' if offences else 'ok'} {i} - {sentence}")
        return 1 if any(offences for _, offences in self.cases) else 0
