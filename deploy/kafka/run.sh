#!/usr/bin/env bash
# Runs one real Apache Kafka broker (KRaft) on loopback, in the foreground, without Docker.
#
#   deploy/kafka/run.sh DIR [PORT]
#
# DIR keeps the log and may be used again; PORT (default 9092) and the one after it must be free. Needs Java 17 or newer, and
# Maven for the first run, which fetches the jars from Maven Central into .kafka/libs (KAFKA_LIBS names another folder).
# For development and tests: one node, no replication, no authentication. KAFKA_PROPERTIES names a file of further settings, which
# win over those below; KAFKA_SCRAM is a user for the first run, as in kafka-storage's --add-scram.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,10p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
port=${2:-9092}
libs=${KAFKA_LIBS:-$here/../../.kafka/libs}

if ! ls "$libs"/kafka_*.jar >/dev/null 2>&1; then
  # Into a folder of its own first: an interrupted download leaves no half of a Kafka behind.
  mkdir -p "$(dirname "$libs")"
  fetched=$(mktemp -d "$libs.XXXXXX")
  trap 'rm -rf "$fetched"' EXIT
  mvn --quiet --batch-mode --file "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fetched" -DincludeScope=runtime >&2
  chmod 755 "$fetched"
  mv -T "$fetched" "$libs" 2>/dev/null || ls "$libs"/kafka_*.jar >/dev/null # another start was faster
fi

cat > "$dir/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$dir/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.coordinator.rebalance.protocols=classic
CONF
[ -z "${KAFKA_PROPERTIES:-}" ] || cat "$KAFKA_PROPERTIES" >> "$dir/server.properties"
cat > "$dir/log4j2.yaml" <<'CONF'
Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: "[%d] %p %m (%c)%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
CONF
[ -d "$dir/log" ] || java -cp "$libs/*" kafka.tools.StorageTool format --cluster-id aGVhZHJhY2UtZGV2LTAwMQ \
  --config "$dir/server.properties" ${KAFKA_SCRAM:+--add-scram "$KAFKA_SCRAM"} >/dev/null 2>&1
echo "Kafka on 127.0.0.1:$port, ready in a few seconds; its data is in $dir. Stop: Ctrl-C."
exec java -Xms128m -Xmx512m -XX:+UseSerialGC -Dlog4j2.configurationFile="$dir/log4j2.yaml" -cp "$libs/*" kafka.Kafka "$dir/server.properties"
