from mode.services import Service as Service
from mode.worker import Worker as Worker
