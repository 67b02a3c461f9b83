from faust.types.tuples import TP as TP
from faust.types.tuples import ConsumerMessage as ConsumerMessage
from faust.types.tuples import Message as Message
