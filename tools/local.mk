# tools: the command `ringside`.
tools_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS) -DRINGSIDED_PATH='"$(sbindir)/ringsided"'

# What needs no host to talk to, for the command and its unit tests.
noinst_LIBRARIES += %D%/libtools.a
%C%_libtools_a_CPPFLAGS = $(tools_CPPFLAGS)
%C%_libtools_a_SOURCES = \
	%D%/guest_config.h %D%/config.c %D%/config_values.c %D%/config_scan.c \
	%D%/vif.c %D%/check.h %D%/check.c %D%/image.h %D%/image.c \
	%D%/options.h %D%/options.c %D%/say.h %D%/say.c \
	%D%/counters.h %D%/counters.c %D%/io_stats.h %D%/io_stats.c \
	%D%/top.h %D%/top_rate.c %D%/top_table.c \
	%D%/log_tail.h %D%/log_tail.c \
	%D%/cpus.h %D%/cpus.c %D%/layout.h %D%/layout.c %D%/layout_devices.c \
	$(xs_pipeline) $(printable) $(log_file) $(rundir_check) $(image_lock)

bin_PROGRAMS += ringside
ringside_CPPFLAGS = $(tools_CPPFLAGS)
ringside_SOURCES = \
	%D%/main.c %D%/verbs.h %D%/run.c %D%/create.c \
	%D%/console.h %D%/console.c \
	%D%/list.c %D%/info.c %D%/lifecycle.c %D%/vcpu.c \
	%D%/doctor.h %D%/doctor.c %D%/doctor_checks.c %D%/doctor_kernel.c \
	%D%/guest.h %D%/guest.c %D%/guest_disks.c %D%/domains.c %D%/summary.h %D%/summary.c \
	%D%/host.h %D%/host.c %D%/launch.h %D%/launch.c \
	%D%/relay.h %D%/relay.c %D%/terminal.h %D%/terminal.c \
	%D%/top.c %D%/top_sample.c
ringside_LDADD = %D%/libtools.a libclient/libringside-client.a \
	$(XENSTORE_LIBS) $(XLU_LIBS)

unit_tests += tests/unit/test_tools_config
tests_unit_test_tools_config_SOURCES = tests/unit/test_tools_config.c
tests_unit_test_tools_config_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_tools_check
tests_unit_test_tools_check_SOURCES = tests/unit/test_tools_check.c
tests_unit_test_tools_check_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_tools_counters
tests_unit_test_tools_counters_CPPFLAGS = $(tools_CPPFLAGS)
tests_unit_test_tools_counters_SOURCES = tests/unit/test_tools_counters.c
tests_unit_test_tools_counters_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_tools_top
tests_unit_test_tools_top_CPPFLAGS = $(tools_CPPFLAGS)
tests_unit_test_tools_top_SOURCES = tests/unit/test_tools_top.c
tests_unit_test_tools_top_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_tools_log_tail
tests_unit_test_tools_log_tail_SOURCES = tests/unit/test_tools_log_tail.c
tests_unit_test_tools_log_tail_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

unit_tests += tests/unit/test_tools_layout
tests_unit_test_tools_layout_CPPFLAGS = $(tools_CPPFLAGS)
tests_unit_test_tools_layout_SOURCES = tests/unit/test_tools_layout.c \
	tests/unit/fake_xs.h tests/unit/fake_xs.c
tests_unit_test_tools_layout_LDADD = %D%/libtools.a $(XLU_LIBS) $(CMOCKA_LIBS)

dist_man_MANS += docs/man/ringside.1 docs/man/ringsided.8
EXTRA_DIST += examples/hello.cfg examples/blkcheck.cfg examples/webserver.cfg

guest_programs += tests/system/cli_guest.elf tests/system/counters_guest.elf \
	tests/system/logs_guest.elf

system_tests += tests/system/vcpus.sh tests/system/cli_errors.sh tests/system/cli_cycle.sh \
	tests/system/cli_run.sh tests/system/cli_console.sh \
	tests/system/cli_trouble.sh \
	tests/system/cli_leaks.sh tests/system/counters.sh \
	tests/system/logs.sh tests/system/rundir.sh \
	tests/system/cli_end.sh tests/system/image_lock.sh tests/system/mac.sh \
	tests/system/hung_image.sh tests/system/away.sh \
	tests/system/hung_disk.sh
check_PROGRAMS += tests/system/hung_disk
tests_system_hung_disk_SOURCES = tests/system/hung_disk.c
EXTRA_DIST += tests/system/tap.bash

fuzz_tests += tests/fuzz/fuzz_tools
tests_fuzz_fuzz_tools_SOURCES = tests/fuzz/fuzz_tools.c $(fuzz_main)
tests_fuzz_fuzz_tools_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_tools_LDADD = %D%/libtools.a $(XLU_LIBS)
