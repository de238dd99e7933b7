"""The training loop, read straight through, with the parts it stands on: plan, checkpoint, interrupt, report.

Needs the extra ``[train]``.
"""

from ..extras import require

require("torch", "train")
