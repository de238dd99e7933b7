"""Makes torch impossible to import, as it is where it was never installed."""

import sys

sys.modules["torch"] = None
