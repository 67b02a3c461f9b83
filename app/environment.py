"""The environment variables that Headrace reads."""

ENVIRONMENT = {
    "HEADRACE_CONFIG": "The settings file.",
    "HEADRACE_GROUP_SECRET": "The secret that all workers of a group share, if `group_secret_file` is left out: 32 bytes or more. An empty "
    "value is an error, even if there is a file.",
    "HEADRACE_INSTANCE": "A name for the worker in the group, as `headrace worker --instance` gives it.",
    "HEADRACE_KERNEL": "`off`: a worker folds one row after the other, although numba is there. States and effects are the same.",
    "HEADRACE_KEY": "The API key that the command line and `headrace.Client` send.",
    "HEADRACE_KEYS": "The API keys that a worker knows, as in `keys_file`, separated by line ends or `;`.",
    "HEADRACE_NOTIFY_TOKEN": "A secret that is sent to `notify.url` as `Authorization: Bearer TOKEN`.",
    "HEADRACE_NOTIFY_URL": "Where signals are posted, if `notify` has no `url` and no `command`.",
    "HEADRACE_SASL_PASSWORD": "The password of `broker.sasl`, if `password_file` is left out.",
    "HEADRACE_SNAPSHOT_KEY": "Signs snapshots and the segments of `<task>.pending`, if `snapshot_key_file` is left out: 32 bytes or more. An "
    "empty value is an error, even if there is a file.",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where traces are sent, over OTLP/HTTP; left out: there are none. Needs `pip install 'headrace[otel]'`. The other "
    "variables of OpenTelemetry's SDK count too, such as `OTEL_TRACES_SAMPLER` and `OTEL_SERVICE_NAME`.",
    "PYTHONHASHSEED": "Must be 0. `headrace worker` and `headrace demo` restart themselves with it.",
}
"""The purpose of each variable. docs/reference.md prints this table."""
