"""An application with projections, and the processes that work on them."""
