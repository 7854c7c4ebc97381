# examples: what it builds, tests and installs.

# Each with its native twin, for mode trap.
guest_programs += %D%/hello/hello.elf %D%/echo-console/echo-console.elf \
	%D%/hello/hello.native.elf %D%/echo-console/echo-console.native.elf
EXTRA_DIST += %D%/hello/README.md %D%/echo-console/README.md \
	%D%/embed/README.md

guest_programs += %D%/blkcheck/blkcheck.elf %D%/blkcheck/blkcheck.native.elf
noinst_PROGRAMS += %D%/blkcheck/blkcheck-host
%C%_blkcheck_blkcheck_host_SOURCES = %D%/blkcheck/blkcheck-host.c \
	%D%/blkcheck/pattern.h
EXTRA_DIST += %D%/blkcheck/README.md

noinst_PROGRAMS += %D%/embed/embed
%C%_embed_embed_SOURCES = %D%/embed/embed.c
%C%_embed_embed_LDADD = hypervisor/libringside.a $(SECCOMP_LIBS)
system_tests += tests/system/embed.sh

guest_programs += %D%/webserver/webserver.elf \
	%D%/webserver/webserver.native.elf
EXTRA_DIST += %D%/webserver/README.md %D%/webserver/site
system_tests += tests/system/web.sh tests/system/three-guests.sh \
	tests/system/tap.sh
EXTRA_DIST += tests/system/net.bash

guest_programs += %D%/sensitive/sensitive.elf \
	%D%/sensitive/sensitive.native.elf
guest_inside += %D%/sensitive/sensitive.elf \
	%D%/sensitive/sensitive.native.elf
EXTRA_DIST += %D%/sensitive/README.md
system_tests += tests/system/trap.sh

guest_programs += %D%/vchan/ask.elf %D%/vchan/upper.elf \
	%D%/vchan/ask.native.elf %D%/vchan/upper.native.elf
EXTRA_DIST += %D%/vchan/README.md %D%/vchan/pair.sh %D%/vchan/peer.h
system_tests += tests/system/vchan.sh

# Built here so that they stay right; the test builds them as others do.
guest_programs += %D%/backend/guest.elf
noinst_PROGRAMS += %D%/backend/backend %D%/backend/boot
%C%_backend_backend_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
%C%_backend_backend_SOURCES = %D%/backend/backend.c
%C%_backend_backend_LDADD = libclient/libringside-client.a $(XENSTORE_LIBS)
%C%_backend_boot_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
%C%_backend_boot_SOURCES = %D%/backend/boot.c
%C%_backend_boot_LDADD = libclient/libringside-client.a $(XENSTORE_LIBS)
EXTRA_DIST += %D%/backend/README.md
system_tests += tests/system/client.sh
