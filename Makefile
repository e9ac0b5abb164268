# Two commands do everything on a fresh Debian 12 with the Swift toolchain: `make demo` and `make test`.

SWIFT ?= swift
PREFIX ?= /usr/local
# Of the chaos campaign; a seed is made up where none is given.
SECONDS ?= 120
SEED ?=
RELEASE := .build/release/apus
RELEASE_INIT := .build/release/apus-init
RELEASE_FLAGS := -c release --product apus --static-swift-stdlib

.PHONY: help demo test unit compatibility chaos lint format build bench bench-store bench-warm install clean

help:
	@echo 'make demo      two clusters on this machine process a video, from edge to cloud'
	@echo 'make test      all tests: unit, contract, and foreign clients against a live Apus'
	@echo 'make chaos     three clusters, and everything going wrong (SECONDS=120 SEED=random)'
	@echo 'make build     the release binaries, $(RELEASE) and apus-init'
	@echo 'make install   copy them to $(PREFIX)/bin (PREFIX=…)'
	@echo 'make bench     measure it; writes Benchmarks/RESULTS.md'
	@echo 'make bench-store   only the object store, beside nginx, rclone and MinIO'
	@echo 'make bench-warm    only warm functions, beside nginx, fork and exec, and the OCI runtime'
	@echo 'make lint      formatting, and the rules of the house'
	@echo 'make format    format all Swift files'

demo:
	scripts/install-deps.sh demo
	@$(MAKE) --no-print-directory build
	APUS=$(RELEASE) scripts/demo.sh

# The campaign's seed is always the same here: what fails then is the change, not the dice.
test: unit compatibility
	scripts/install-deps.sh chaos
	APUS=.build/debug/apus Tests/Chaos/run.sh --seconds 5 --seed 5 --faults reset --sabotage
	APUS=.build/debug/apus Tests/Chaos/run.sh --seconds 120 --seed 5

unit:
	scripts/install-deps.sh test
	@echo 'Building with tests; the first time takes five to ten minutes.'
	$(SWIFT) build --build-tests
	SWIFT=$(SWIFT) scripts/unit-tests.sh

compatibility:
	scripts/install-deps.sh test
	$(SWIFT) build --build-tests
	APUS=.build/debug/apus Compatibility/run.sh

# With the release binary where there is one, which is as fast as what users run.
chaos:
	scripts/install-deps.sh chaos
	@[ -x $(RELEASE) ] || { $(SWIFT) build --product apus && $(SWIFT) build --product apus-init; }
	Tests/Chaos/run.sh --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(CHAOS)

lint:
	scripts/install-deps.sh lint
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests
	scripts/check-house.py

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

build:
	scripts/install-deps.sh build
	@[ -x $(RELEASE) ] || echo 'Building the release binary; the first time takes ten to twenty minutes on two cores.'
	$(SWIFT) build $(RELEASE_FLAGS)
	$(SWIFT) build -c release --product apus-init

bench: build
	scripts/install-deps.sh bench demo
	python3 Benchmarks/run.py --apus $(RELEASE)
	python3 Benchmarks/store/run.py --apus $(RELEASE)
	python3 Benchmarks/warm/run.py --apus $(RELEASE)

bench-store: build
	scripts/install-deps.sh bench
	python3 Benchmarks/store/run.py --apus $(RELEASE)

# Its model needs the packages of the example.
bench-warm: build
	scripts/install-deps.sh bench demo
	python3 Benchmarks/warm/run.py --apus $(RELEASE)

install: build
	install -D -s -m 0755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/apus
	install -D -s -m 0755 $(RELEASE_INIT) $(DESTDIR)$(PREFIX)/bin/apus-init

clean:
	rm -rf .build .venv .demo
