# Every habit is a verb. Each sets up what it needs; only Python 3.11 or newer and make are assumed.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONHASHSEED := 0
# A worker starts in less than half the time once its modules are compiled, so they are kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

# uv installs in 5 s what takes pip 70 s. It does not read pip's own configuration: where only that knows an index, pip takes over.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: demo check format reference quick test test-all chaos faults going-back endings fuzz lane fuzz-states bench bench-drift kafka lock clean

.venv: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headrace needs Python 3.11 or newer; run: make PYTHON=python3.11 .venv")'
	$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	$(UV) --require-hashes -r requirements.txt || $(PIP) --require-hashes -r requirements.txt
	$(UV) --no-deps --no-build-isolation --editable . || $(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv

demo: .venv
	$(BIN)/headrace demo

check: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python deploy/audit.py

format: .venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: .venv # prints the tables of docs/reference.md and docs/modules.md, and the dashboard, from the code
	$(BIN)/python deploy/reference.py
	$(BIN)/python deploy/grafana/dashboard.py

PURE := tests/learning tests/property

.moto: tests/moto.txt .venv # a server that speaks S3, for the tests of the mirror; its libraries stay apart from ours
	$(PYTHON) -m venv .moto
	$(BIN)/uv pip install --quiet --python .moto/bin/python --require-hashes -r tests/moto.txt || .moto/bin/pip install --quiet --require-hashes -r tests/moto.txt
	@touch .moto

# Tests wait for the disk two thirds of the time: they are given one in memory, where there is one with 4 GB left.
IN_MEMORY := $(shell df -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "TMPDIR=/dev/shm" }')

test test-all: .venv .moto # first what needs no broker; then the rest, whose files wait half of the time: three at a time
	$(IN_MEMORY) $(BIN)/pytest -n 2 --dist worksteal headrace $(PURE)
	$(IN_MEMORY) $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=20 tests $(addprefix --ignore=,$(PURE))

test-all: export THOROUGH := 1 # more kills and faults, all seeds and examples

LONG := hostile_records every_class encoding reading_changes_nothing snapshot_bytes digest trial published_digests online_linear

quick: .venv # under a minute and no broker: the fold, all examples in docstrings, and the documents
	$(BIN)/pytest -q -n 2 headrace tests/learning tests/deploy/test_documents.py $(LONG:%=--ignore=tests/learning/test_%.py)

SEED ?= 7
CHAOS := PYTHONPATH=tests $(BIN)/python tests/crash/chaos.py --rows 200000 --kills 30 --rate 900 --seed $(SEED)

FAULTS := PYTHONPATH=tests $(BIN)/python tests/crash/chaos.py --faults 20

chaos: .venv # about an hour: random kills, ends, pauses and other faults against the uninterrupted fold; choose your own SEED
	$(CHAOS) --workers 2 --model logistic --static --event-time --controls
	$(CHAOS) --workers 3 --model hoeffding_tree
	$(CHAOS) --workers 3 --model logistic --wipe --event-time
	$(CHAOS) --workers 2 --model hoeffding_tree --static --controls
	$(CHAOS) --workers 2 --anomalies --static --controls
	$(CHAOS) --workers 2 --packed --rate 60 --static --controls
	$(FAULTS) --seed $(SEED)

faults: .venv # under an hour: 200 faults over ten seeds, to broker, topics, databases, disk, clocks and network; choose your own SEED
	$(FAULTS) --seeds 10 --seed $(SEED)

going-back: .venv # about ten minutes: a task is changed, versions are saved and poison is taken out, under load and kills
	$(BIN)/pytest -v tests/crash/changes_under_kills.py tests/crash/versions_under_kills.py tests/crash/unlearning_under_load.py

endings: .venv # a quarter of an hour: SIGTERM in every state that we can think of; choose your own SEED
	PYTHONPATH=tests $(BIN)/python tests/crash/endings.py --count 50 --seed $(SEED)

fuzz: .venv # 100,000 random requests: no digest may change, and the worker must live; choose your own SEED
	PYTHONPATH=tests $(BIN)/python tests/crash/random_requests.py --requests 100000 --seed $(SEED)

lane: .venv # 100,000 random requests to the lane and to the ordinary way: the same bytes; choose your own SEED
	PYTHONPATH=tests $(BIN)/python tests/conformance/random_questions.py --requests 100000 --seed $(SEED)

fuzz-states: .venv # under an hour: ten million encodings, snapshots, manifests and addresses that nobody wrote; choose your own SEED
	PYTHONPATH=tests $(BIN)/python tests/crash/fuzz_states.py --cases 10000000 --seed $(SEED)

bench: .venv # every published figure but those of drift, more than a quarter of an hour; prediction.py needs wrk
	@for figure in throughput prediction freshness recovery availability memory pending snapshot_bytes encoding pauses files scaling; do \
	  echo "== $$figure"; PYTHONPATH=tests $(BIN)/python benchmarks/$$figure.py || exit 1; done

bench-drift: .venv # more than an hour: the figures of drift, on any machine the same but for what watching costs
	@for figure in watching evidence false_rollbacks experiments drift_recovery detection; do \
	  echo "== $$figure"; PYTHONPATH=. $(BIN)/python benchmarks/$$figure.py || exit 1; done

kafka: # a real Apache Kafka on 127.0.0.1:9092 in the foreground; needs Java 17, and Maven the first time
	deploy/kafka/run.sh .kafka/data

lock: .venv # after a change of dependencies in pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra local --extra redis --extra mirror --extra onnx --extra otel --extra parquet --extra kernel --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o requirements.txt
	echo "moto[s3] flask flask-cors" | tr ' ' '\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade -o tests/moto.txt

clean:
	rm -rf .venv .kafka .moto build *.egg-info
