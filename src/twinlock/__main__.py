"""``python -m twinlock`` is the command ``twinlock``."""

from twinlock.cli.main import main

if __name__ == "__main__":
    main()
