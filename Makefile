# Everything a developer types. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PRESET ?= release
BUILD := build/$(PRESET)
HASTEN := $(BUILD)/bin/hasten
DEMO := --kb build/demo.hasten --quiet
QUESTION ?= How far away is the Moon?
SOURCES = $(shell git ls-files '*.cpp' '*.hpp')
DATA := ../shared/data

# One compiler cache serves every checkout.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json third_party/debian.txt third_party/packages.txt
	tools/setup
	cmake --preset $(PRESET)
	@touch $@

.PHONY: build
build: $(BUILD)/build.ninja ## build everything
	cmake --build $(BUILD)

.PHONY: demo
demo: $(BUILD)/build.ninja ## ask the example documents a question (QUESTION="..."), with citations
	@cmake --build $(BUILD) --target hasten_cli hasten-reader | tail -1
	@$(HASTEN) model install --quiet > /dev/null
	@$(HASTEN) ingest $(DEMO) examples/documents
	@printf '\n%s\n\n' "$(QUESTION)"
	@TIMEFORMAT=$$'\nanswered in %R s, from the start of the process'; \
	  time $(HASTEN) ask $(DEMO) "$(QUESTION)"

.PHONY: test
test: ## build everything and run the fast tests
	tools/setup
	@$(MAKE) --no-print-directory build
	ctest --test-dir $(BUILD) -L fast --output-on-failure -j $$(nproc)

.PHONY: servers
servers: build ## stores on real servers, which are fetched: Chroma, Milvus, PostgreSQL
	ctest --test-dir $(BUILD) -L servers --output-on-failure

.PHONY: accept
accept: build ## the acceptance suite, on the data sets beside the checkout; and servers
	@if [[ -d $(DATA) ]]; then ctest --test-dir $(BUILD) -L 'accept|servers' --output-on-failure; \
	else echo "SKIPPED: the acceptance suite needs the data sets in $(DATA), and they are not there" >&2; fi

.PHONY: bench
bench: build ## this machine's figures, task by task
	@for task in bench/*/run; do [[ -x $$task ]] && "$$task" $(BUILD) || exit 1; done

.PHONY: format
format: ## format the C++ sources
	clang-format-16 -i $(SOURCES)

.PHONY: tidy
tidy: $(BUILD)/build.ninja ## static analysis of our own sources
	clang-tidy-16 --quiet -p $(BUILD) $(filter src/%.cpp apps/%.cpp,$(SOURCES))

.PHONY: clean
clean: ## remove this preset's build, and leave what was fetched
	rm -rf $(BUILD)
