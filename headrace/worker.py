"""The Faust app of a worker, for Faust's own command line.

HEADRACE_CONFIG=headrace.toml faust -A headrace.worker worker -l info
HEADRACE_CONFIG=headrace.toml faust -A headrace.worker agents
"""

from headrace.app.from_faust import listed_app

app = listed_app()
