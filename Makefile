# Two commands set up, build and run everything on Debian 12: `make demo` and `make test`.
# V=1 shows each command; JOBS=N bounds the parallel jobs; CMAKE_ARGS adds options to the configuration.

JOBS ?= $(shell nproc)
CMAKE_ARGS ?=

ifeq ($(V),1)
quiet_cmake :=
quiet_ninja := -v
else
quiet_cmake := --log-level=WARNING
quiet_ninja :=
endif

configure = cmake -G Ninja -S . -B build $(quiet_cmake) -Wno-dev $(CMAKE_ARGS)
compile = ninja -C build $(quiet_ninja) -j$(JOBS)

.PHONY: help build demo test clean

help:
	@echo 'make build   set up and build: the tools are then in build/bin'
	@echo 'make demo    the same, then compile the digits sample and train it'
	@echo 'make test    set up what the tests need, build, and run all tests'
	@echo 'make clean   remove build/ and out/ (not what was set up: that is .deps/ and apt packages)'
	@echo 'Variables: V=1 shows each command, JOBS=N, CMAKE_ARGS=..., HALFSTEP_DEPS_DIR=DIR in place of .deps'

build:
	@setup/setup.sh build
	@# A tree that has the tests keeps them; a new one is made without.
	@if [ -f build/CMakeCache.txt ]; then $(configure); else $(configure) -DHALFSTEP_TESTS=OFF; fi
	@$(compile)

demo: build
	@samples/digits/demo.sh

test:
	@setup/setup.sh test
	@$(configure) -DHALFSTEP_TESTS=ON
	@$(compile)
	@ctest --test-dir build --no-tests=error --output-on-failure -j$(JOBS)

clean:
	rm -rf build out
