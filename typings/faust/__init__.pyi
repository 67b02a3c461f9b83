from faust.app import App as App
from faust.streams import Stream as Stream
from faust.topics import Topic as Topic
from faust.worker import Worker as Worker
