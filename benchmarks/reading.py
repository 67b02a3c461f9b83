"""Reading and writing one record of the event log: msgspec against the standard library, in one run."""

import json
import timeit

import msgspec

LINE = b'{"id": "a1", "features": {"amount": 12.5, "country": "PT", "pages": 9, "new": true}, "label": true}'


class Record(msgspec.Struct):
    """A record, as far as its types say."""

    id: str
    features: dict[str, float | str | bool]
    label: bool


def main() -> None:
    record, plain = msgspec.json.decode(LINE, type=Record), json.loads(LINE)
    reader, writer = msgspec.json.Decoder(Record), msgspec.json.Encoder()
    pairs = {
        "read and checked by type, msgspec": lambda: reader.decode(LINE),
        "read, json, nothing checked": lambda: json.loads(LINE),
        "written, msgspec": lambda: writer.encode(record),
        "written, json": lambda: json.dumps(plain).encode(),
    }
    for name, call in pairs.items():
        microseconds = [10 * seconds for seconds in timeit.repeat(call, number=100_000, repeat=5)]
        print(f"{name}: {min(microseconds):.2f} to {max(microseconds):.2f} microseconds a record")


if __name__ == "__main__":
    main()
