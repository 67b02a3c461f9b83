# A worker. Build and run:
#
#   docker build -t headrace .
#   docker run -p 6066:6066 -v "$PWD/headrace.toml:/headrace/headrace.toml:ro" -v headrace:/headrace/data headrace
#
# In headrace.toml set broker.url to your Kafka, worker.web = "0.0.0.0:6066", and worker.address to where others reach it; it wants API keys then (headrace key), a snapshot key (HEADRACE_SNAPSHOT_KEY) and, with several workers, HEADRACE_GROUP_SECRET.
# With worker.tls, or another port, also: -e HEADRACE_HEALTH=https://127.0.0.1:6066/healthz
# Any other command goes behind the image's name: docker run ... headrace status phishing

# The image is Python 3.11.16, for every processor, named by its digest so that every build begins with the same bytes. To raise it:
# docker buildx imagetools inspect python:3.11-slim-bookworm
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS build
WORKDIR /build
# Every file is checked against its hash as it arrives; what is installed below comes from these alone.
COPY requirements.txt .
RUN pip download --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: --dest wheels -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY learning learning
COPY tables tables
COPY agents agents
COPY app app
COPY headrace headrace
RUN python -m venv /opt/headrace \
    && /opt/headrace/bin/pip install --no-cache-dir --disable-pip-version-check --no-index --find-links wheels ".[redis,mirror,otel,kernel]"

FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
RUN useradd --uid 10001 --create-home --home-dir /headrace headrace \
    && install --directory --owner headrace --group headrace /headrace/data
COPY --from=build /opt/headrace /opt/headrace
# The fold must not depend on the order of a set, so the hash seed is fixed.
ENV PATH=/opt/headrace/bin:$PATH \
    PYTHONHASHSEED=0 \
    PYTHONUNBUFFERED=1 \
    HEADRACE_CONFIG=/headrace/headrace.toml \
    HEADRACE_HEALTH=http://127.0.0.1:6066/healthz
USER 10001
WORKDIR /headrace
VOLUME /headrace/data
EXPOSE 6066
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, ssl, urllib.request as r; r.urlopen(os.environ['HEADRACE_HEALTH'], timeout=2, context=ssl._create_unverified_context())"]
ENTRYPOINT ["headrace"]
CMD ["worker"]
