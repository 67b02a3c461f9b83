"""The environment variables that Headrace reads."""

ENVIRONMENT = {
    "HEADRACE_CONFIG": "The settings file.",
    "HEADRACE_GROUP_SECRET": "What all workers of a group share, where `group_secret_file` is left out: 32 bytes or more. Set and empty is an "
    "error, beside a file too.",
    "HEADRACE_INSTANCE": "A name for the worker in the group, as `headrace worker --instance` gives it.",
    "HEADRACE_KEY": "The API key that the command line and `headrace.Client` show.",
    "HEADRACE_KEYS": "API keys that a worker knows, as in `keys_file`; lines, or separated by `;`.",
    "HEADRACE_SASL_PASSWORD": "The password of `broker.sasl`, where `password_file` is left out.",
    "HEADRACE_SNAPSHOT_KEY": "Signs snapshots and the segments of `<task>.pending`, where `snapshot_key_file` is left out: 32 bytes or more. Set "
    "and empty is an error, beside a file too.",
    "PYTHONHASHSEED": "Must be 0. `headrace worker` and `headrace demo` restart themselves with it.",
}
"""What each variable is for; the documents print it."""
