from faust.types.settings.settings import Settings as Settings
