"""``python -m frl`` is ``frl``."""

import sys

from frl.cli import main

sys.exit(main())
