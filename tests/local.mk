# tests: how each kind of test is run.  Every kind speaks TAP, and automake's
# TAP driver counts the points.
#
#   unit    cmocka programs for the host, tests/unit/test_*.c
#   fuzz    fuzz targets, tests/fuzz/fuzz_*.c, here replaying their corpus
#           tests/fuzz/corpus/NAME.tar (build-aux/corpus adds to it)
#   guest   bootable ELFs from tests/guest/*.c, run under every engine
#   system  whole hosts from outside, tests/system/*.sh
#
# A test is declared in the local.mk of the directory that it tests:
#     unit_tests += tests/unit/test_evtchn
#     tests_unit_test_evtchn_SOURCES = tests/unit/test_evtchn.c
#     tests_unit_test_evtchn_LDADD = hypervisor/libringside-core.a $(CMOCKA_LIBS)
#
#     fuzz_tests += tests/fuzz/fuzz_elf
#     tests_fuzz_fuzz_elf_SOURCES = tests/fuzz/fuzz_elf.c $(fuzz_main)
#     tests_fuzz_fuzz_elf_LDFLAGS = $(FUZZ_LINK)
#     tests_fuzz_fuzz_elf_LDADD = hypervisor/libringside-core.a
#
#     guest_tests += tests/guest/timers.elf
#     system_tests += tests/system/confinement.sh
#
# Helpers that system tests start (not tests themselves) go to check_PROGRAMS.

include tests/unit/local.mk
include tests/confine/local.mk
include tests/probe/local.mk

system_tests += %D%/system/abi.sh %D%/system/core_size.sh \
	%D%/system/corpus.sh %D%/system/cycles.sh %D%/system/sdk.sh

check_PROGRAMS += $(unit_tests) $(fuzz_tests)
TESTS += $(unit_tests) $(fuzz_tests) $(guest_tests) $(system_tests)

EXTRA_DIST += $(system_tests) %D%/fuzz/replay.c %D%/run-host \
	%D%/run-guest %D%/run-suite \
	$(fuzz_tests:%D%/fuzz/fuzz_%=%D%/fuzz/corpus/%.tar) \
	%D%/fuzz/xs_wire.dict \
	%D%/kernels/check %D%/kernels/init %D%/kernels/suite

# libFuzzer brings its own main().
FUZZ_LINK = $(SANITIZER_CFLAGS) $(FUZZ_LDFLAGS)
if FUZZING
fuzz_main =
else
fuzz_main = %D%/fuzz/replay.c
endif

TEST_EXTENSIONS = .sh .elf
TEST_SUITE_LOG = %D%/test-suite.log
tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(tap_driver)
LOG_COMPILER = $(top_srcdir)/%D%/run-host
ELF_LOG_DRIVER = $(tap_driver)
ELF_LOG_COMPILER = $(top_srcdir)/%D%/run-guest
SH_LOG_DRIVER = $(tap_driver)
SH_LOG_COMPILER = bash

# What a test may rely on.
AM_TESTS_ENVIRONMENT = \
	abs_top_srcdir='$(abs_top_srcdir)' \
	abs_top_builddir='$(abs_top_builddir)' \
	SANITIZER='$(SANITIZER)'; \
	export abs_top_srcdir abs_top_builddir SANITIZER;

# The names of all tests, for tests/run-suite; rewritten when they change.
check_DATA += %D%/list
CLEANFILES += %D%/list
%D%/list: Makefile
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)printf '%s\n' $(unit_tests) $(fuzz_tests) $(guest_tests) \
	    $(system_tests) >$@

# What tests/system/cycles.sh examines: SET OBJECT, one a line.
check_DATA += %D%/objects
CLEANFILES += %D%/objects
%D%/objects: Makefile
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN){ \
	printf 'hypervisor %s\n' $(hypervisor_libringside_core_a_OBJECTS) \
	    $(ringsided_OBJECTS); \
	printf 'xenstore %s\n' $(xenstore_libxenstored_a_OBJECTS) \
	    $(ringside_xenstored_OBJECTS); \
	printf 'guest %s\n' $(guest_kernel_libringside_guest_a_OBJECTS); \
	printf 'guest-native %s\n' \
	    $(guest_kernel_libringside_guest_native_a_OBJECTS); \
	printf 'backends %s\n' $(backends_libdriver_a_OBJECTS) \
	    $(ringside_driverd_OBJECTS); \
	printf 'tools %s\n' $(tools_libtools_a_OBJECTS) $(ringside_OBJECTS); \
	printf 'libclient %s\n' $(libclient_libringside_client_core_a_OBJECTS); \
	} >$@.tmp && mv $@.tmp $@

# Builds what `make check` would build, and runs nothing.
# One after the other, since `all` is a make of its own.
build-tests: all
	$(MAKE) $(AM_MAKEFLAGS) $(check_LIBRARIES) $(check_PROGRAMS) \
	    $(check_SCRIPTS) $(check_DATA)

# Tests of host code alone: what a sanitizer build runs.
check-host:
	$(MAKE) $(AM_MAKEFLAGS) check \
	    TESTS="$(unit_tests) $(fuzz_tests)"

# All but whole hosts from outside, which take longest.
check-short:
	$(MAKE) $(AM_MAKEFLAGS) check \
	    TESTS="$(unit_tests) $(fuzz_tests) $(guest_tests)"

# The tests on Debian's kernels in QEMU, without hardware virtualization: hours.
KERNELS = bookworm bookworm-backports
check-kernels: build-tests
	$(top_srcdir)/%D%/kernels/check $(top_srcdir) $(top_builddir) \
	    kernels $(KERNELS)

.PHONY: build-tests check-host check-short check-kernels
