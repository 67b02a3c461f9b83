from faust.web.base import Web as Web
from faust.web.views import View as View
