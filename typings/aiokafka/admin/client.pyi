import asyncio
from collections.abc import Callable
from ssl import SSLContext
from typing import TypedDict, TypeVar, overload, type_check_only

from aiokafka.admin.config_resource import ConfigResource
from aiokafka.admin.new_partitions import NewPartitions
from aiokafka.admin.new_topic import NewTopic
from aiokafka.protocol.admin import (
    AlterConfigsResponse_v0,
    ApiVersionRequest,
    ApiVersionResponse_v0,
    CreatePartitionsResponse_v0,
    CreateTopicsResponse_v0,
    DescribeConfigsResponse_v0,
    DescribeGroupsResponse_v0,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest as _MetadataRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

_Struct = TypeVar("_Struct", bound=RequestStruct)

# A class, in whose place Headrace puts a function of its own.
MetadataRequest: Callable[[list[str] | None], _MetadataRequest]

@type_check_only
class _Cluster(TypedDict):
    brokers: list[dict[str, int | str]]
    cluster_id: str | None
    controller_id: int

# Which version of an answer comes depends on the broker; what is declared of version 0 holds for all.
class AIOKafkaAdminClient:
    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        bootstrap_servers: str | list[str] = "localhost",
        client_id: str = ...,
        request_timeout_ms: int = 40000,
        connections_max_idle_ms: int = 540000,
        retry_backoff_ms: int = 100,
        metadata_max_age_ms: int = 300000,
        security_protocol: str = "PLAINTEXT",
        ssl_context: SSLContext | None = None,
        api_version: None = None,
        sasl_mechanism: str = "PLAIN",
        sasl_plain_username: str | None = None,
        sasl_plain_password: str | None = None,
        sasl_kerberos_service_name: str = "kafka",
        sasl_kerberos_domain_name: str | None = None,
        sasl_oauth_token_provider: None = None,
    ) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...
    @overload
    async def _send_request(self, request: ApiVersionRequest, node_id: int | None = None) -> ApiVersionResponse_v0: ...
    @overload
    async def _send_request(self, request: Request[_Struct], node_id: int | None = None) -> Response: ...
    async def create_topics(
        self, new_topics: list[NewTopic], timeout_ms: int | None = None, validate_only: bool = False
    ) -> CreateTopicsResponse_v0: ...
    async def create_partitions(
        self,
        topic_partitions: dict[str, NewPartitions],
        timeout_ms: int | None = None,
        validate_only: bool = False,
    ) -> CreatePartitionsResponse_v0: ...
    async def list_topics(self) -> list[str]: ...
    async def describe_cluster(self) -> _Cluster: ...
    async def describe_configs(
        self, config_resources: list[ConfigResource], include_synonyms: bool = False
    ) -> list[DescribeConfigsResponse_v0]: ...
    async def alter_configs(self, config_resources: list[ConfigResource]) -> list[AlterConfigsResponse_v0]: ...
    async def describe_consumer_groups(
        self,
        group_ids: list[str],
        group_coordinator_id: int | None = None,
        include_authorized_operations: bool = False,
    ) -> list[DescribeGroupsResponse_v0]: ...
    async def list_consumer_group_offsets(
        self,
        group_id: str,
        group_coordinator_id: int | None = None,
        partitions: list[TopicPartition] | None = None,
    ) -> dict[TopicPartition, OffsetAndMetadata]: ...
