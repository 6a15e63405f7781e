"""
What tests of several rooms use. Servers are in `tests.servers`; everything else is here.

`memory`, `database`, `jetstream`: stores of one kind, and what goes on behind their backs.
`every_store`: one of each kind.
`accounts`, `projections`, `factories`: events and projections to work with.
`children`, `commands`, `project`: other processes, commands, and the sample project.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
# Files that are not in the repository; tests that need one are skipped where it is not.
DATA = ROOT.parent / "shared" / "data"
