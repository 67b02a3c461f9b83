from river.__version__ import __version__ as __version__
