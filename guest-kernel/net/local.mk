# guest-kernel/net: the port of lwIP, part of the guest kernel's library.

guest_kernel_sources += %D%/ethif.c %D%/memory.c %D%/memory.h %D%/net.c %D%/net.h \
	%D%/random.c %D%/recovery.c %D%/resolve.c %D%/socket.c %D%/socket_file.h %D%/socket_poll.c \
	%D%/sys_arch.c %D%/timers.c %D%/timers.h

noinst_HEADERS += include/ringside/net.h \
	%D%/include/lwipopts.h %D%/include/arch/cc.h \
	%D%/include/arch/sys_arch.h %D%/include/arpa/inet.h \
	%D%/include/netdb.h %D%/include/netinet/in.h \
	%D%/include/netinet/tcp.h %D%/include/poll.h \
	%D%/include/lwip/netdb.h \
	%D%/include/sys/dirent.h %D%/include/sys/socket.h

# The stack on the host, with frames from a test.
net_stack_cppflags = $(HOST_CPPFLAGS) $(LWIP_CPPFLAGS) $(LWIP_HOST_CPPFLAGS)
noinst_LIBRARIES += tests/unit/libnet-stack.a
tests_unit_libnet_stack_a_CPPFLAGS = $(net_stack_cppflags)
tests_unit_libnet_stack_a_SOURCES = tests/unit/net_stack.c \
	tests/unit/net_stack.h tests/unit/net_frame.c \
	tests/unit/net_frame.h tests/unit/net_peer.c tests/unit/net_peer.h \
	%D%/memory.c %D%/recovery.c %D%/timers.c
$(tests_unit_libnet_stack_a_OBJECTS): guest-sdk/lwip.stamp
net_stack_ldadd = tests/unit/libnet-stack.a lwip-host/liblwip.a

unit_tests += tests/unit/test_net_stack tests/unit/test_net_stack_program \
	tests/unit/test_net_loss
tests_unit_test_net_stack_CPPFLAGS = $(net_stack_cppflags)
tests_unit_test_net_stack_LDADD = $(net_stack_ldadd) $(CMOCKA_LIBS)
$(tests_unit_test_net_stack_OBJECTS): guest-sdk/lwip.stamp

tests_unit_test_net_stack_program_CPPFLAGS = $(net_stack_cppflags)
tests_unit_test_net_stack_program_LDADD = $(net_stack_ldadd) $(CMOCKA_LIBS) \
	-lpthread
$(tests_unit_test_net_stack_program_OBJECTS): guest-sdk/lwip.stamp

tests_unit_test_net_loss_CPPFLAGS = $(net_stack_cppflags)
tests_unit_test_net_loss_LDADD = $(net_stack_ldadd) $(CMOCKA_LIBS)
$(tests_unit_test_net_loss_OBJECTS): guest-sdk/lwip.stamp

fuzz_tests += tests/fuzz/fuzz_stack
tests_fuzz_fuzz_stack_CPPFLAGS = $(net_stack_cppflags)
tests_fuzz_fuzz_stack_SOURCES = tests/fuzz/fuzz_stack.c tests/fuzz/net_play.c \
	tests/fuzz/net_play.h $(fuzz_main)
tests_fuzz_fuzz_stack_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_stack_LDADD = $(net_stack_ldadd)
$(tests_fuzz_fuzz_stack_OBJECTS): guest-sdk/lwip.stamp

# The same on random inputs, some 250 frames each, without libFuzzer.
EXTRA_PROGRAMS += tests/fuzz/stack_random
tests_fuzz_stack_random_CPPFLAGS = $(net_stack_cppflags)
tests_fuzz_stack_random_SOURCES = tests/fuzz/fuzz_stack.c \
	tests/fuzz/net_play.c tests/fuzz/net_play.h tests/fuzz/random.c
tests_fuzz_stack_random_LDADD = $(net_stack_ldadd)
$(tests_fuzz_stack_random_OBJECTS): guest-sdk/lwip.stamp

FRAMES = 5000000
fuzz-stack: tests/fuzz/stack_random
	FUZZ_STACK_TELL=1 ./tests/fuzz/stack_random $(or $(SEED),1) $$(($(FRAMES) / 240))

# Frames against a guest on a TAP device, in a network namespace.
guest_programs += tests/system/frames_guest.elf
guest_inside += tests/system/frames_guest.elf
check_PROGRAMS += tests/system/frames
tests_system_frames_SOURCES = tests/system/frames.c \
	tests/system/frames_wire.c tests/system/frames_wire.h \
	tests/fuzz/net_play.c tests/fuzz/net_play.h \
	tests/unit/net_frame.c tests/unit/net_frame.h
system_tests += tests/system/frames.sh

fuzz-frames: all tests/system/frames
	abs_top_builddir='$(abs_top_builddir)' FRAMES=$(FRAMES) SEED=$(or $(SEED),1) \
	    bash $(top_srcdir)/tests/system/frames.sh
.PHONY: fuzz-stack fuzz-frames

guest_tests += tests/guest/net.elf tests/guest/net.native.elf \
	tests/guest/net_memory.elf tests/guest/net_grants.elf tests/guest/net_ports.elf \
	tests/guest/net_calls.elf tests/guest/net_calls.native.elf \
	tests/guest/net_cards.elf tests/guest/net_cards.native.elf \
	tests/guest/net_many.elf tests/guest/net_many.native.elf

guest_programs += tests/system/names_guest.elf
system_tests += tests/system/names.sh
