# bench: `ringside bench` and its guest.
ringside_SOURCES += \
	%D%/bench.h %D%/verb.c %D%/report.c %D%/native.c \
	%D%/machine.h %D%/machine.c %D%/session.h %D%/session.c %D%/boot.c \
	%D%/weigh.h %D%/weigh.c %D%/scale.c \
	%D%/io.c %D%/figures.h %D%/figures.c %D%/samples.h %D%/guest_say.h %D%/guest_job.h \
	%D%/hypercall.c %D%/programs.c %D%/plot.c %D%/native_calls.c \
	%D%/native_signals.c %D%/native_peers.c %D%/native_notify.c \
	%D%/xb.h %D%/xenstore.c %D%/xb_peer.c %D%/xb_echo.c %D%/xb_pool.c \
	%D%/xb_run.c %D%/xb_txn.c %D%/xb_many.c %D%/xb_watch.c \
	%D%/xenstore_hostile.c %D%/neighbours.c
ringside_CPPFLAGS += -DBENCH_GUEST='"$(benchdir)/guest.elf"' \
	-DBENCH_XENSTORED='"$(sbindir)/ringside-xenstored"'
guest_programs += %D%/guest.elf %D%/guest_calls.elf %D%/guest_peers.elf \
	%D%/guest_emulated.native.elf %D%/hostile.elf %D%/hog.elf
guest_inside += %D%/guest_calls.elf %D%/guest_peers.elf \
	%D%/guest_emulated.native.elf %D%/hostile.elf
benchdir = $(pkglibexecdir)/bench
bench_DATA = %D%/guest.elf %D%/guest_calls.elf %D%/guest_peers.elf \
	%D%/guest_emulated.native.elf %D%/hostile.elf \
	examples/blkcheck/blkcheck.elf examples/blkcheck/blkcheck.native.elf \
	examples/webserver/webserver.elf \
	examples/webserver/webserver.native.elf
system_tests += tests/system/bench.sh tests/system/scale.sh \
	tests/system/descriptors.sh

unit_tests += tests/unit/test_bench_figures
tests_unit_test_bench_figures_SOURCES = tests/unit/test_bench_figures.c \
	%D%/figures.c %D%/report.c %D%/plot.c
tests_unit_test_bench_figures_LDADD = tools/libtools.a $(XLU_LIBS) \
	$(CMOCKA_LIBS)
