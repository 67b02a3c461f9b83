from collections.abc import Iterator

from river.datasets.base import Dataset

class Phishing(Dataset):
    def __init__(self) -> None: ...
    def __iter__(self) -> Iterator[tuple[dict[str, float], bool]]: ...
