"""Makes the feature store that the settings name."""

from headrace.app.settings import Settings
from headrace.learning.errors import SettingsError
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.features import EmbeddedStore, FeatureStore


def make_store(settings: Settings, task: Task) -> FeatureStore:
    """Make the feature store of a task: embedded, or in Redis. SettingsError if redis-py is not installed."""
    features = settings.features
    changelog = KafkaChangelog(f"{task.name}.features", settings.brokers)
    if features.url is None:
        return EmbeddedStore(task, changelog, features.ttl_seconds, settings.datadir / task.name / "features")
    try:
        from headrace.tables.redis_features import RedisStore
    except ImportError:
        what = f"{settings.path}: 'features.url' names Redis, but redis-py is not installed."
        raise SettingsError(what, "Run: pip install 'headrace[redis]'.") from None
    return RedisStore(task, changelog, features.ttl_seconds, features.url)
