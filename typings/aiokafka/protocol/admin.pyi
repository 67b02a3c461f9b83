from aiokafka.protocol.api import Request, RequestStruct, Response

class ApiVersionRequest(Request[RequestStruct]):
    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct: ...

class ApiVersionResponse_v0(Response):
    api_versions: list[tuple[int, int, int]]

class CreateTopicsResponse_v0(Response):
    topic_errors: list[tuple[str, int, *tuple[str | None, ...]]]

class AlterConfigsResponse_v0(Response):
    resources: list[tuple[int, str | None, int, str]]

class CreatePartitionsResponse_v0(Response): ...

class DescribeConfigsResponse_v0(Response):
    resources: list[tuple[int, str | None, int, str, list[tuple[str, str | None, *tuple[object, ...]]]]]

class DescribeGroupsResponse_v0(Response):
    groups: list[
        tuple[
            int, str, str, str, str, list[tuple[str, str, str, bytes, bytes, *tuple[object, ...]]], *tuple[object, ...]
        ]
    ]
