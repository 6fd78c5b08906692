# Thin front of Meson: what to type.  `make` builds build/kiln; everything else is listed by `make help`.
#
# Missing Debian packages are installed first (scripts/install-deps; asks sudo when not root).

PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
export JOBS

.PHONY: all help demo test test-peers quick lint format coverage bench install clean

all: build/build.ninja ## builds build/kiln
	@scripts/install-deps build
	@ninja -C build -j $(JOBS) program

build/build.ninja:
	@scripts/install-deps build
	@meson setup build --prefix $(PREFIX)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: all ## builds an image, pushes it, reads it back: one minute
	@scripts/install-deps demo
	@scripts/demo

test: ## the whole suite, also under sanitizers; last line: N passed, N failed, N skipped
	@scripts/install-deps test
	@tests/run

test-peers: all ## the suite's Dockerfiles, caches and attestations with docker and buildah of Debian trixie: root, 15 minutes
	@scripts/install-deps test
	@tests/peers/trixie make
	@status=0; tests/dockerfiles/peers || status=1; \
	KILN=$(CURDIR)/build/kiln bats --tap tests/peers/caches.bats tests/peers/attest.bats || status=1; exit $$status

quick: ## the suite without sanitizers
	@scripts/install-deps test
	@tests/run --quick

lint: ## second compiler, clang-tidy, scripts: what .ci/run adds to the suite
	@scripts/install-deps test
	@scripts/lint

format: ## lays out all C files
	@scripts/format

coverage: ## lines that the suite runs, by file; build-coverage/html/index.html
	@scripts/install-deps test
	@scripts/coverage

bench: all ## side by side with other builders
	@scripts/install-deps bench
	@bench/run

install: all ## to $(DESTDIR)$(PREFIX)
	@meson configure build -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

clean: ## removes all build folders
	@rm -rf build build-*
