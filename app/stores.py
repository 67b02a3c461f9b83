"""Which feature store and which mirror the settings ask for."""

from headrace.app.settings import Settings
from headrace.learning.errors import SettingsError
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.features import EmbeddedStore, FeatureStore
from headrace.tables.mirror import BucketMirror, FolderMirror, Mirror


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


def make_mirror(settings: Settings, task: Task) -> Mirror | None:
    """The mirror of a task's versions: a folder, a bucket, or none. SettingsError if obstore is not installed, or the bucket's name is none."""
    url = task.versions.mirror
    if url is None:
        return None
    scheme, _, place = url.partition(":")
    if scheme == "file":
        return FolderMirror(settings.folder / place)
    where = f"{settings.path}: 'tasks.{task.name}.versions.mirror'"
    try:
        return BucketMirror(url)
    except ImportError:
        what = f"{where} names a bucket, but obstore is not installed."
        raise SettingsError(what, "Run: pip install 'headrace[mirror]'.") from None
    except ValueError as error:
        raise SettingsError(f"{where} cannot be used: {error}.", "Write it like s3://models/headrace.") from None
