# Every command of the project. `make help` lists them. Builds go to build/<preset>/, downloads to
# .cache/ (or $RINGLET_CACHE). Nothing here is needed to use CMake directly: see CMakePresets.json.

JOBS ?= $(shell nproc)
QUESTION ?= Why is the sky blue? Answer in two sentences.
export RINGLET_CACHE ?= $(CURDIR)/.cache

PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
RINGLET := build/release/ringlet

.PHONY: all help deps demo demo-smollm2 test asan tsan clang neon fuzz bench format check clean

all: deps            ## build the program: build/release/ringlet
	@tools/build.sh release ringlet

help:                ## list the commands
	@sed -n 's/^\([a-z0-9 -]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

deps:                ## install the Debian packages that a build needs
	@tools/install_deps.sh build

demo: all            ## our own small model: goes on with a text, finds a fact in a long one
	@tools/install_deps.sh demo
	@python3 tools/demo.py

demo-smollm2: all    ## fetch SmolLM2-135M and let it answer a question
	@tools/install_deps.sh smollm2
	@model="$$(python3 tools/fetch_smollm2.py)" && \
	  printf '\n$$ %s run %s -p "%s"\n\n' $(RINGLET) "$${model#$(CURDIR)/}" '$(QUESTION)' && \
	  $(RINGLET) run "$$model" -n 200 --temp 0 -p '$(QUESTION)'

test: deps           ## every check: release tests, sanitizers (clang), fuzz smoke, style
	@tools/install_deps.sh smollm2 test
	@JOBS=$(JOBS) tools/run_tests.sh

asan tsan: deps      ## unit tests under address+undefined, or thread sanitizer
	@tools/install_deps.sh test
	@JOBS=$(JOBS) tools/run_ctest.sh $(subst asan,asan-ubsan,$@) -LE 'model|tools'

clang: deps          ## compile everything with clang 14
	@tools/install_deps.sh test
	@tools/build.sh clang

neon: deps           ## cross-compile for 64-bit Arm, operator tests and models under qemu
	@tools/install_deps.sh test neon
	@JOBS=$(JOBS) tools/run_neon.sh

fuzz: deps           ## each fuzz target for 60 seconds (SECONDS=n to change)
	@tools/install_deps.sh test
	@JOBS=$(JOBS) tools/run_fuzzers.sh $(or $(SECONDS),60)

bench: all           ## speed of SmolLM2 (PEER=python with llama-cpp-python: beside it)
	@tools/install_deps.sh smollm2
	@model="$$(python3 tools/fetch_smollm2.py)" && \
	  $(PYTHON) bench/compare_llama_cpp.py "$$model" $(if $(PEER),--python $(PEER))

check:               ## style and layers only (seconds)
	@$(PYTHON) tools/check_style.py
	@$(PYTHON) tools/check_layers.py

format:              ## run clang-format on every C++ file
	@tools/install_deps.sh test
	@$(PYTHON) tools/check_style.py --fix

clean:               ## remove build/ (downloads in .cache/ stay)
	rm -rf build
