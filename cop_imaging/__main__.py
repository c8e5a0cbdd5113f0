"""``python -m cop_imaging`` is the command ``cop-imaging``."""

from cop_imaging.cli.main import main

if __name__ == "__main__":
    main()
