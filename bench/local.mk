# bench: `ringside bench` and its guest.
ringside_SOURCES += \
	%D%/bench.h %D%/verb.c %D%/report.c %D%/native.c \
	%D%/session.h %D%/session.c %D%/calls.c %D%/boot.c %D%/io.c %D%/vchan.c \
	%D%/xb.h %D%/xenstore.c %D%/xb_peer.c %D%/xb_echo.c %D%/xb_pool.c \
	%D%/xb_run.c %D%/xb_txn.c %D%/xb_many.c %D%/xb_watch.c \
	%D%/xenstore_hostile.c
ringside_CPPFLAGS += -DBENCH_GUEST='"$(benchdir)/guest.elf"' \
	-DBENCH_XENSTORED='"$(sbindir)/ringside-xenstored"'
guest_programs += %D%/guest.elf %D%/hostile.elf
benchdir = $(pkglibexecdir)/bench
bench_DATA = %D%/guest.elf %D%/hostile.elf
system_tests += tests/system/bench.sh
