"""`python -m i2izoo` is the command line."""

import sys

from i2izoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
