# The core's unit tests. Each is one program with core.c, the fixture.

core_test_cppflags = $(HOST_CPPFLAGS) -I$(top_srcdir)/hypervisor

noinst_LIBRARIES += %D%/libcore-test.a
%C%_libcore_test_a_CPPFLAGS = $(core_test_cppflags)
%C%_libcore_test_a_SOURCES = %D%/core.c %D%/core.h
core_test_ldadd = %D%/libcore-test.a hypervisor/libringside-core.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS) -lpthread

unit_tests += %D%/test_core_vcpu
%C%_test_core_vcpu_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_vcpu_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_evtchn
%C%_test_core_evtchn_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_evtchn_LDADD = $(core_test_ldadd)
unit_tests += %D%/test_core_grant
%C%_test_core_grant_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_grant_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_abi_grant
%C%_test_abi_grant_CPPFLAGS = $(core_test_cppflags)
%C%_test_abi_grant_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_abi_calls
%C%_test_abi_calls_CPPFLAGS = $(core_test_cppflags)
%C%_test_abi_calls_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_abi_event
%C%_test_abi_event_CPPFLAGS = $(core_test_cppflags)
%C%_test_abi_event_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_abi_memory
%C%_test_abi_memory_CPPFLAGS = $(core_test_cppflags)
%C%_test_abi_memory_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_calls
%C%_test_core_calls_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_calls_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_budget
%C%_test_core_budget_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_budget_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_end
%C%_test_core_end_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_end_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_files
%C%_test_core_files_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_files_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_stats
%C%_test_core_stats_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_stats_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_invariant
%C%_test_core_invariant_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_invariant_LDADD = $(core_test_ldadd) -lpthread

unit_tests += %D%/test_core_builder
%C%_test_core_builder_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_builder_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_tsc
%C%_test_tsc_CPPFLAGS = $(core_test_cppflags)
%C%_test_tsc_LDADD = hypervisor/libringside-core.a $(CMOCKA_LIBS)

if EMULATE
unit_tests += %D%/test_emulate
endif
# With an api.c that does not ask for it, the linker leaves emulate/ out.
unit_tests += %D%/test_no_emulate
%C%_test_no_emulate_SOURCES = %D%/test_no_emulate.c hypervisor/api/api.c
%C%_test_no_emulate_CPPFLAGS = $(core_test_cppflags)
%C%_test_no_emulate_LDADD = $(core_test_ldadd)

EXTRA_DIST += %D%/test_emulate.c
%C%_test_emulate_CPPFLAGS = $(core_test_cppflags)
%C%_test_emulate_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_threads
%C%_test_core_threads_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_threads_LDADD = $(core_test_ldadd)

unit_tests += %D%/test_core_watch
%C%_test_core_watch_CPPFLAGS = $(core_test_cppflags)
%C%_test_core_watch_LDADD = $(core_test_ldadd)

# Fuzz targets of the core.
fuzz_tests += tests/fuzz/fuzz_hypercall
tests_fuzz_fuzz_hypercall_CPPFLAGS = $(core_test_cppflags) -I$(top_srcdir)/tests
tests_fuzz_fuzz_hypercall_SOURCES = tests/fuzz/fuzz_hypercall.c $(fuzz_main)
tests_fuzz_fuzz_hypercall_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_hypercall_LDADD = $(core_test_ldadd)

if EMULATE
fuzz_tests += tests/fuzz/fuzz_emulate
endif
tests_fuzz_fuzz_emulate_CPPFLAGS = $(core_test_cppflags) -I$(top_srcdir)/tests
tests_fuzz_fuzz_emulate_SOURCES = tests/fuzz/fuzz_emulate.c $(fuzz_main)
tests_fuzz_fuzz_emulate_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_emulate_LDADD = $(core_test_ldadd)

fuzz_tests += tests/fuzz/fuzz_image
tests_fuzz_fuzz_image_CPPFLAGS = $(core_test_cppflags)
tests_fuzz_fuzz_image_SOURCES = tests/fuzz/fuzz_image.c $(fuzz_main)
tests_fuzz_fuzz_image_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_image_LDADD = $(core_test_ldadd)
