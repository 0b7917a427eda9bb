"""A witness as ``twinlock witness serve`` runs it, whose clock a file may set.

usage: python -m support.witness_program DIRECTORY PORT CLOCK

``CLOCK`` holds an instant, or nothing: then it is this machine's. A test lets days pass, where
destinations age.
"""

import sys
from datetime import datetime
from pathlib import Path

from twinlock.cli.console import log_to_stderr
from twinlock.cli.witness import now, run
from twinlock.witness.app import WitnessApp
from twinlock.witness.ledger import Ledger
from twinlock.witness.serving import Witness


def main() -> None:
    directory, port, clock = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])

    def read_clock() -> datetime:
        said = clock.read_text("ascii")
        return datetime.fromisoformat(said) if said else now()

    log_to_stderr("error")
    witness = Witness(Ledger.open(directory), now=read_clock)
    run(WitnessApp(witness), host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
