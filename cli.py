"""Run the command line from a checkout: ``python cli.py --help``."""

from pathlib import Path

import ecgsynth

# In the wheel these folders lie inside the package; in a checkout they lie beside it.
ecgsynth.__path__.append(str(Path(__file__).resolve().parent))

from ecgsynth.cli.main import main

if __name__ == "__main__":
    main()
