# `make reproduce` and `make test` do all the set-up that they need; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= 4
VENV := .venv
# That of Debian 12 does not know the options in requirements/llama-cpp.txt.
PIP := pip==23.2.1
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# llm-compressor's pins exclude this package's transformers.
COMPRESSION := .venv-compression
# DVC's stages call snakemake and python by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Containers often set it: each of some hundred processes would then compile the package, and pytest every test, anew.
unexport PYTHONDONTWRITEBYTECODE
# More options for pip, e.g. PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu" for the small torch.
PIP_OPTIONS ?=
# Some categories of BBQ, one of them intersectional: all would take half an hour.
ORACLE_CATEGORIES ?= Age Disability_status Race_x_SES Religion
# Two test processes, a file each at a time, in the order of tests/conftest.py: the long ones first.
PYTEST_OPTIONS ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
# Scripts of `make benchmark`, commas for spaces.
BENCHMARKS ?= matrix_products.py likelihood_throughput.py,--items,48 generation_throughput.py scaling.py,--items,100,1000,2000 prefill_rate.py control_vector_cost.py,--pairs,40 control_vector_memory.py oversubscription.py,--weights,$(MODEL)/q8_0.gguf,--items,data/items/edge/bbq.parquet
SIMULATIONS := interval_coverage decomposition_coverage balanced_letters slope_coverage variance_share_coverage calibration_loop online_loop personalisation_coverage inheritance_coverage
# Folders that a user moved to another disk.
LINKS = $(shell find data data/raw data/models data/items results results/edge -maxdepth 0 -type l 2>/dev/null)
MODEL := data/models/smollm2-135m-instruct
# Seeds of the mitigation studies: none is that of params.yaml, whose held-out sentences were read while the method was built.
STUDY_SEED ?= 20261124
REPEAT_SEEDS ?= 20261125 20261126
# A ladder of builds is audited of the small model; of the large one, the published file alone.
LADDER := qwen2-5-coder-0-5b
LARGE := qwen2-5-coder-1-5b
RUNGS := q3_k_m wanda50_q8_0
AUDIT_FOLDER ?= results/audit
STEERED := mitigation/edge/smollm2-135m-instruct/wanda50_q8_0

# $(call study_of_seeds,FIRST,OTHERS): the methods of config/FIRST.yaml with the first seed, of config/OTHERS.yaml with the others.
define study_of_seeds
$(BIN)/snakemake --cores $(CORES) --config study=$(1) seed=$(STUDY_SEED) -- mitigation
for seed in $(REPEAT_SEEDS); do $(BIN)/snakemake --cores $(CORES) --config study=$(2) seed=$$seed -- mitigation || exit 1; done
$(BIN)/edgebias provenance --file params.yaml --file config/$(1).yaml --output results/$(1)-$(STUDY_SEED)/provenance.json
endef

.DEFAULT_GOAL := help
.PHONY: help setup data record reproduce pages smoke mix-study compression-study compression-study-qwen wins-back-study personalisation-study personalisation-defences damage-study damage-language-study personalisation-tuning inheritance-study mitigation-study mitigation-study-bbq audit-qwen test test-fast benchmark simulations oracle oracle-peers compression-env compression-perplexity stock-server reference lint format lock adopt repro verify clean

help: ## List the targets
	@grep -E '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Make the virtual environment with the pinned packages

$(READY): requirements/lock.txt requirements/llama-cpp.txt pyproject.toml
	@echo "Setting up $(VENV): about 3 minutes, and 10 more the first time while llama.cpp is built ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP)
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --requirement requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

reproduce: $(READY) ## Reproduce the whole study with the default params.yaml
	@echo "Reproducing the study: 40 to 60 minutes on 2 cores. Progress below; logs in logs/."
	$(BIN)/snakemake --cores $(CORES)
	$(MAKE) pages
	if [ -d .git ]; then $(if $(LINKS),echo "DVC records nothing behind a link ($(LINKS)): dvc.lock stays as it is",$(MAKE) record); fi
	@echo "Done. Open results/edge/report/index.html"

pages: $(READY) ## Write docs/results/edge.md, its figure and the README's findings from results/edge
	$(BIN)/edgebias pages --metrics results/edge/report/metrics.json --claims claims.yaml --verdicts results/edge/report/claims.csv \
	  --markdown docs/results/edge.md --readme README.md

record: $(READY) ## Let DVC take over what Snakemake has made (dvc.lock)
	$(BIN)/dvc repro --quiet --single-item code
	rm -f dvc.lock  # else entries of stages that are gone stay; DVC reads and writes all of them for each stage that runs
	$(BIN)/dvc commit --force --quiet

smoke: $(READY) ## The whole pipeline on a few items (minutes): the study `smoke`, beside the others
	$(BIN)/snakemake --cores $(CORES) --config study=smoke

mix-study: $(READY) ## Another model in every environment, and how much of the excess is the model (an hour); writes docs/results/mix.md
	$(BIN)/snakemake --cores $(CORES) --config study=mix
	$(BIN)/edgebias pages --metrics results/mix/report/metrics.json --markdown docs/results/mix.md

mitigation-study: $(READY) ## Every method on all of StereoSet, and three seeds (four hours); writes docs/results/mitigation.md
	$(call study_of_seeds,mitigation,mitigation_repeat)
	$(BIN)/edgebias mitigation-page --folder results/mitigation-$(STUDY_SEED)/$(STEERED) --study config/mitigation.yaml \
	  $(foreach seed,$(REPEAT_SEEDS),--repeats results/mitigation_repeat-$(seed)/$(STEERED)) --repeated-study config/mitigation_repeat.yaml \
	  --provenance results/mitigation-$(STUDY_SEED)/provenance.json --markdown docs/results/mitigation.md \
	  --figure docs/results/mitigation-frontier.svg

mitigation-study-bbq: $(READY) ## One vector for StereoSet and BBQ, three seeds (two and a half hours); writes docs/results/mitigation-bbq.md
	$(call study_of_seeds,mitigation_bbq,mitigation_bbq)
	$(BIN)/edgebias mitigation-page --folder results/mitigation_bbq-$(STUDY_SEED)/$(STEERED) --study config/mitigation_bbq.yaml \
	  $(foreach seed,$(REPEAT_SEEDS),--repeats results/mitigation_bbq-$(seed)/$(STEERED)) --written-by "make mitigation-study-bbq" \
	  --items data/items/mitigation_bbq-$(STUDY_SEED)/bbq.parquet $(foreach seed,$(REPEAT_SEEDS),--items data/items/mitigation_bbq-$(seed)/bbq.parquet) \
	  --provenance results/mitigation_bbq-$(STUDY_SEED)/provenance.json --markdown docs/results/mitigation-bbq.md \
	  --before-after docs/results/mitigation-bbq.svg

data: $(READY) ## The benchmark files of all suites and the full-precision model, which the tests of real things read
	$(BIN)/snakemake --cores $(CORES) --quiet progress rules -- fetch_benchmarks $(MODEL)/full.gguf $(MODEL)/full.transformers/config.json
	@echo "Files that packages of their own carry (58 MB, a minute the first time): those of the study compression, the rest of which is not run."
	$(BIN)/snakemake --cores $(CORES) --quiet progress rules --config study=compression --until fetch_benchmark_file

test: data ## All tests: fast and slow ones, real-model ones, the whole pipeline at smoke size
	$(BIN)/pytest $(PYTEST_OPTIONS)

test-fast: $(READY) ## The fast tests, which touch every package (two minutes)
	$(BIN)/pytest $(PYTEST_OPTIONS) -m "not slow and not model and not pipeline and not fault"

lint: $(READY) ## Formatting, lint, types, workflow lint
	$(BIN)/ruff format --check src tests benchmarks simulations
	$(BIN)/ruff check src tests benchmarks simulations
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(READY) ## Write the pages of docs/reference that are generated: commands, parameters, tables
	$(BIN)/typer edgebias.cli utils docs --name edgebias --title Commands | sed -e 's/\x08//' -e 's/^Example:$$/&\n/' > docs/reference/commands.md
	$(BIN)/edgebias params-schema
	$(BIN)/edgebias tables --markdown docs/reference/tables.md --keep-rows

# $(call audit_of,MODEL,BUILDS): the published file of a model and builds of it against its 8-bit build; status 1 is a finding.
define audit_of
echo; echo "## $(1)"; echo; echo '```'; \
$(BIN)/edgebias audit data/raw/models/$(1).gguf $(foreach b,$(2),data/models/$(1)/$b.gguf) --against data/models/$(1)/q8_0.gguf \
  --folder $(AUDIT_FOLDER) --html $(AUDIT_FOLDER)/$(1).html --json $(AUDIT_FOLDER)/$(1).json || [ $$? -eq 1 ] || exit 2; \
echo '```'
endef

compression-study: $(READY) compression-env ## Trust of six builds (an hour on 2 cores); writes docs/results/compression.md
	$(BIN)/snakemake --cores $(CORES) --config study=compression
	$(BIN)/edgebias pages --metrics results/compression/report/metrics.json --markdown docs/results/compression.md

compression-study-qwen: $(READY) compression-env ## Trust of three builds of Qwen2.5-Coder-0.5B in six suites (half an hour on 2 cores); writes docs/results/compression_qwen.md
	$(BIN)/snakemake --cores $(CORES) --config study=compression_qwen
	$(BIN)/edgebias pages --metrics results/compression_qwen/report/metrics.json --markdown docs/results/compression_qwen.md

wins-back-study: $(READY) compression-env ## What vectors win back in six compressed builds (an hour on 2 cores); writes docs/results/wins_back.md
	$(BIN)/snakemake --cores $(CORES) --config study=wins_back
	$(BIN)/edgebias pages --metrics results/wins_back/report/metrics.json --markdown docs/results/wins_back.md

personalisation-study: $(READY) ## Does it matter who asks? Safety and utility of 37 askers of two models in two placements (an hour on 2 cores); writes docs/results/personalisation.md
	$(BIN)/snakemake --cores $(CORES) --config study=personalisation
	$(BIN)/edgebias pages --metrics results/personalisation/report/metrics.json --markdown docs/results/personalisation.md

personalisation-defences: $(READY) ## Does a sentence in the prompt help? Three defences and a placebo (an hour on 2 cores); writes docs/results/personalisation_defences.md
	$(BIN)/snakemake --cores $(CORES) --config study=personalisation_defences
	$(BIN)/edgebias pages --metrics results/personalisation_defences/report/metrics.json --markdown docs/results/personalisation_defences.md

personalisation-tuning: $(READY) ## Does preference tuning help? Three variants of data (an hour on 2 cores); writes docs/results/personalisation_tuning.md
	$(BIN)/snakemake --cores $(CORES) --config study=personalisation_tuning
	$(BIN)/edgebias pages --metrics results/personalisation_tuning/report/metrics.json --markdown docs/results/personalisation_tuning.md

damage-study: $(READY) ## What damaged pre-training data pass on, with small networks on images (a quarter of an hour); writes docs/results/damage.md
	$(BIN)/snakemake --cores $(CORES) --config study=damage
	$(BIN)/edgebias pages --metrics results/damage/report/metrics.json --markdown docs/results/damage.md

inheritance-study: $(READY) ## What does a model inherit from texts that it wrote itself? Nine trained builds (an hour on 2 cores); writes docs/results/inheritance.md
	$(BIN)/snakemake --cores $(CORES) --config study=inheritance
	$(BIN)/edgebias pages --metrics results/inheritance/report/metrics.json --markdown docs/results/inheritance.md

damage-language-study: $(READY) ## What a long tail of gender passes on to a language model (two hours on 2 cores); writes docs/results/damage_language.md
	$(BIN)/snakemake --cores $(CORES) --config study=damage_language
	$(BIN)/edgebias pages --metrics results/damage_language/report/metrics.json --markdown docs/results/damage_language.md

audit-qwen: data ## Audits of builds of both Qwen models (an hour on 2 cores); writes docs/results/audit.md
	$(BIN)/snakemake --cores $(CORES) --quiet progress rules -- \
	  $(foreach m,$(LADDER) $(LARGE),data/raw/models/$m.gguf data/models/$m/q8_0.gguf) $(foreach b,$(RUNGS),data/models/$(LADDER)/$b.gguf)
	mkdir -p $(AUDIT_FOLDER)
	{ echo "# Audits of Qwen2.5-Coder builds"; echo; \
	  echo "Made by \`make audit-qwen\`: $$(nproc) cores, $$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1). How to read it: [audit a build](../how-to/audit-a-build.md)."; \
	  echo "The published files have 4 bits (Q4_K_M), and every other build is made from them. So the 8-bit build has nearly the same weights, and is the reference."; \
	  $(call audit_of,$(LADDER),$(RUNGS)); $(call audit_of,$(LARGE),); } > docs/results/audit.md.part
	mv docs/results/audit.md.part docs/results/audit.md

compression-env: $(COMPRESSION)/.ready ## Make the environment of llm-compressor, which GPTQ, AWQ and SparseGPT need (2 minutes, 1.5 GB)

$(COMPRESSION)/.ready: requirements/compression.txt
	$(PYTHON) -m venv $(COMPRESSION)
	$(COMPRESSION)/bin/python -m pip install --quiet $(PIP)
	$(COMPRESSION)/bin/python -m pip install --quiet $(PIP_OPTIONS) --requirement requirements/compression.txt
	touch $@

compression-perplexity: $(READY) compression-env ## Builds that correct errors beside plainer ones of the same size, on held-out text (an hour and a half); writes docs/results/compression-perplexity.md
	$(BIN)/snakemake --cores $(CORES) --config study=compression -- $$($(BIN)/python benchmarks/compression_perplexity.py --files)
	{ echo "# Compressed builds on held-out text"; echo; \
	  echo "Made by \`benchmarks/compression_perplexity.py\`; \`make compression-perplexity\` makes all its builds first, and pairs whose builds are not there are left out."; \
	  echo "What each build is: [builds](../reference/builds.md)."; echo; \
	  $(BIN)/python benchmarks/compression_perplexity.py || exit 1; } > docs/results/compression-perplexity.md.part
	mv docs/results/compression-perplexity.md.part docs/results/compression-perplexity.md

oracle-peers: $(READY) ## Install the two harnesses that `make oracle` checks beside our scorers
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/oracle-peers.txt

oracle: data oracle-peers ## Check our BBQ scorer and two harnesses with responders of known scores; writes docs/results/oracle.md
	# Status 1 says that a harness differs from what must come out, which is what the tables show.
	$(BIN)/edgebias oracle --suite bbq $(foreach c,$(ORACLE_CATEGORIES),--category $c) --scorer edgebias \
	  --scorer lm-eval-multiple-choice --scorer lm-eval-generate --scorer helm --markdown docs/results/oracle.md || [ $$? -eq 1 ]

benchmark: data oracle-peers ## Inference beside its peers, nothing else running (half an hour); writes docs/results/performance.md
	$(BIN)/snakemake --cores $(CORES) --quiet progress rules -- $(MODEL)/{q8_0,q4_0,wanda50_q8_0}.gguf data/items/edge/bbq.parquet
	{ echo "# Inference beside its peers"; echo; \
	  echo "Made by \`make benchmark\`: $$(nproc) cores, $$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), 2 threads. What it means: [speed](../design/speed.md)."; \
	  for script in $(BENCHMARKS); do \
	    echo; echo "## benchmarks/$${script%%.py*}.py"; echo; echo '```'; $(BIN)/python benchmarks/$$(echo $$script | tr , ' ') || exit 1; echo '```'; \
	  done; } > docs/results/performance.md.part
	mv docs/results/performance.md.part docs/results/performance.md

simulations: $(READY) ## Intervals and loops on models of known truth (some minutes); writes docs/results/simulations.md
	{ echo "# Intervals and loops on models of known truth"; echo; echo "Made by \`make simulations\`, which asks no language model."; \
	  for script in $(SIMULATIONS); do \
	    echo; echo "## simulations/$$script.py"; echo; echo '```'; $(BIN)/python simulations/$$script.py || exit 1; echo '```'; \
	  done; } > docs/results/simulations.md.part
	mv docs/results/simulations.md.part docs/results/simulations.md

format: $(READY) ## Format everything
	$(BIN)/ruff format src tests benchmarks simulations
	$(BIN)/ruff check --fix src tests benchmarks simulations
	$(BIN)/snakefmt Snakefile workflow

dvc.yaml: $(READY) FORCE ## Write dvc.yaml from the Snakefile
	$(BIN)/edgebias dvc --output dvc.yaml

repro: dvc.yaml ## dvc repro after a change of params.yaml, then let Snakemake adopt the result
	$(BIN)/dvc repro
	$(MAKE) adopt

adopt: $(READY) ## After dvc pull, checkout or repro: Snakemake takes over what DVC has proved by hash
	$(BIN)/dvc status --quiet || { echo "error: dvc status is not clean: run dvc checkout or dvc repro first" >&2; exit 2; }
	$(BIN)/snakemake --touch --cores 1 -- recorded
	$(BIN)/snakemake --cores 1 --quiet all --allowed-rules page -- results/edge/report/index.html

verify: $(READY) ## PASS, FAIL or SKIPPED (why) for each claim
	$(BIN)/edgebias verify --claims claims.yaml

stock-server: .stock-server/bin/llama-server ## Build llama.cpp's own llama-server from llama-cpp-python's sources, for the test that it takes our vectors (half an hour)

.stock-server/bin/llama-server: requirements/llama-cpp.txt | $(READY)
	rm -rf .stock-server.part && mkdir .stock-server.part
	$(BIN)/python -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: --dest .stock-server.part \
	  $$(grep -o '^llama-cpp-python==[0-9.]*' $<)
	tar --extract --gzip --strip-components 1 --file .stock-server.part/*.tar.gz --directory .stock-server.part
	cmake -S .stock-server.part/vendor/llama.cpp -B .stock-server -DCMAKE_BUILD_TYPE=Release $$(grep -o 'GGML_[A-Z0-9_]*=O[NF]*' $< | sed 's/^/-D/') \
	  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
	cmake --build .stock-server --target llama-server --parallel 2
	rm -rf .stock-server.part

lock: $(READY) ## Write requirements/lock.txt from the installed packages
	{ echo "# Every package of the environment, pinned. Made by: make lock"; echo "-r llama-cpp.txt"; \
	  $(BIN)/pip freeze --exclude-editable | grep -viE '^llama.cpp.python' | sed 's/+cpu$$//'; } > requirements/lock.txt.part
	mv requirements/lock.txt.part requirements/lock.txt

clean: ## Remove results, logs and fetched data (the environment stays)
	rm -rf results logs data/raw data/models data/items data/code .snakemake

FORCE:
