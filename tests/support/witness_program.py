"""A witness as ``twinlock witness serve`` runs it, whose clock is put forward by a file.

usage: python -m support.witness_program DIRECTORY PORT AHEAD

``AHEAD`` holds seconds; the platform of a test lets days pass where destinations age.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from twinlock.cli.console import log_to_stderr
from twinlock.cli.witness import now, run
from twinlock.witness.app import WitnessApp
from twinlock.witness.ledger import Ledger
from twinlock.witness.serving import Witness


def main() -> None:
    directory, port, ahead = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])

    def put_forward() -> datetime:
        return now() + timedelta(seconds=float(ahead.read_text("ascii")))

    log_to_stderr("error")
    witness = Witness(Ledger.open(directory), now=put_forward)
    run(WitnessApp(witness), host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
