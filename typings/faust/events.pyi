import abc

from faust.types import Message

class Event(metaclass=abc.ABCMeta):
    message: Message
