# backends: the driver domain, ringside-driverd.
#
# $(driver_CPPFLAGS) is for everything that is compiled against these headers,
# unit tests included. libdriver.a is all of the driver domain but main() and
# the store's connection, so that tests can put their own in place.

nat = backends/link_slirp.c backends/nat.h backends/nat_slirp.c \
	backends/nat_bounds.h backends/nat_bounds.c backends/nat_forward.c \
	backends/nat_arp.c \
	backends/nat_packet.c backends/nat_packet.h \
	backends/nat_reassembly.c backends/nat_reassembly.h \
	backends/nat_flows.c backends/nat_flows.h \
	backends/nat_clients.c backends/nat_clients.h

driver_CPPFLAGS = $(HOST_CPPFLAGS) $(HYPERCALL_HOST_CPPFLAGS) \
	-I$(top_srcdir)/backends \
	$(EVENT_CFLAGS) $(XENSTORE_CFLAGS) $(URING_CFLAGS)

noinst_LIBRARIES += %D%/libdriver.a
%C%_libdriver_a_CPPFLAGS = $(driver_CPPFLAGS)
%C%_libdriver_a_SOURCES = \
	%D%/driver.c %D%/driver.h $(printable) $(log_file) $(image_lock) \
	%D%/ring_poll.c %D%/ring_poll.h %D%/ring_check.h \
	%D%/slow_call.c %D%/slow_call.h \
	%D%/stats_socket.c %D%/stats_socket.h \
	%D%/store.h %D%/store_value.c \
	%D%/xenbus_backend.c %D%/xenbus_backend.h \
	%D%/xenbus_scan.c %D%/xenbus_room.h \
	%D%/grant_pool.c %D%/grant_pool.h \
	%D%/blkback.c %D%/blkback.h %D%/blkback_connect.c \
	%D%/blkback_ring.c %D%/blkback_ring.h \
	%D%/blk_request.c %D%/blk_request.h \
	%D%/disk.h %D%/disk_file.c %D%/disk_io.c %D%/disk_io.h \
	%D%/disk_queue.c %D%/disk_threads.c %D%/disk_uring.c \
	%D%/consback.c %D%/consback.h \
	%D%/console_log.c %D%/console_log.h \
	%D%/console_pty.c %D%/console_pty.h \
	%D%/netback.c %D%/netback.h %D%/netback_checksum.c \
	%D%/vif_filter.c %D%/vif_filter.h \
	%D%/netback_queue.c %D%/netback_queue.h \
	%D%/link.h %D%/link_forward.c %D%/link_tap.c \
	$(nat)

sbin_PROGRAMS += ringside-driverd
ringside_driverd_CPPFLAGS = $(driver_CPPFLAGS)
ringside_driverd_SOURCES = %D%/driverd.c %D%/store.c $(xs_pipeline) \
	$(rundir_check)
ringside_driverd_LDADD = %D%/libdriver.a \
	libhypercall/libhypercall-host.a libclient/libringside-client.a \
	$(EVENT_LIBS) $(XENSTORE_LIBS) $(URING_LIBS) $(SLIRP_LIBS) -lpthread

# Network cards and their links. nat_guest.c is a guest made of frames.
net_frame = tests/unit/net_frame.c tests/unit/net_frame.h
nat_guest = tests/unit/nat_guest.c tests/unit/nat_guest.h $(net_frame)
unit_tests += tests/unit/test_netback_queue tests/unit/test_link_slirp
fuzz_tests += tests/fuzz/fuzz_netback

tests_unit_test_netback_queue_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_netback_queue_SOURCES = tests/unit/test_netback_queue.c \
	%D%/netback_queue.c %D%/netback_checksum.c %D%/vif_filter.c \
	%D%/grant_pool.c
tests_unit_test_netback_queue_LDADD = $(CMOCKA_LIBS)

tests_unit_test_link_slirp_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_link_slirp_SOURCES = tests/unit/test_link_slirp.c \
	$(net_frame) $(nat) %D%/link_forward.c
tests_unit_test_link_slirp_LDADD = $(CMOCKA_LIBS) $(EVENT_LIBS) $(SLIRP_LIBS)

unit_tests += tests/unit/test_nat
tests_unit_test_nat_CPPFLAGS = $(driver_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_unit_test_nat_SOURCES = tests/unit/test_nat.c $(nat_guest) \
	$(nat) %D%/link_forward.c
tests_unit_test_nat_LDADD = $(CMOCKA_LIBS) $(EVENT_LIBS) $(SLIRP_LIBS)

fuzz_tests += tests/fuzz/fuzz_link_slirp
tests_fuzz_fuzz_link_slirp_CPPFLAGS = $(driver_CPPFLAGS) \
	-I$(top_srcdir)/tests/unit
tests_fuzz_fuzz_link_slirp_SOURCES = tests/fuzz/fuzz_link_slirp.c \
	$(fuzz_main) $(nat_guest) $(nat) %D%/link_forward.c
tests_fuzz_fuzz_link_slirp_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_link_slirp_LDADD = $(EVENT_LIBS) $(SLIRP_LIBS)

tests_fuzz_fuzz_netback_CPPFLAGS = $(driver_CPPFLAGS)
tests_fuzz_fuzz_netback_SOURCES = tests/fuzz/fuzz_netback.c $(fuzz_main) \
	%D%/netback_queue.c %D%/netback_checksum.c %D%/vif_filter.c \
	%D%/grant_pool.c
tests_fuzz_fuzz_netback_LDFLAGS = $(FUZZ_LINK)

# Disks and the handshake. fake_host.c is a hypervisor and a store in memory.
fake_host = tests/unit/fake_host.c tests/unit/fake_host.h
fake_host_LDADD = %D%/libdriver.a $(CMOCKA_LIBS) $(EVENT_LIBS) $(URING_LIBS) \
	-lpthread
unit_tests += tests/unit/test_blk_request tests/unit/test_grant_pool \
	tests/unit/test_disk_file tests/unit/test_blkback_ring \
	tests/unit/test_xenbus_backend tests/unit/test_ring_poll \
	tests/unit/test_consback tests/unit/test_slow_call

tests_unit_test_slow_call_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_slow_call_SOURCES = tests/unit/test_slow_call.c
tests_unit_test_slow_call_LDADD = $(fake_host_LDADD)

tests_unit_test_blk_request_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_blk_request_SOURCES = tests/unit/test_blk_request.c
tests_unit_test_blk_request_LDADD = $(fake_host_LDADD)

tests_unit_test_grant_pool_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_grant_pool_SOURCES = tests/unit/test_grant_pool.c $(fake_host)
tests_unit_test_grant_pool_LDADD = $(fake_host_LDADD)

tests_unit_test_disk_file_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_disk_file_SOURCES = tests/unit/test_disk_file.c
tests_unit_test_disk_file_LDADD = $(fake_host_LDADD)

unit_tests += tests/unit/test_disk_block
tests_unit_test_disk_block_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_disk_block_SOURCES = tests/unit/test_disk_block.c
tests_unit_test_disk_block_LDADD = $(fake_host_LDADD)

unit_tests += tests/unit/test_disk_queue
tests_unit_test_disk_queue_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_disk_queue_SOURCES = tests/unit/test_disk_queue.c
tests_unit_test_disk_queue_LDADD = $(fake_host_LDADD)

# The ring without the handshake: the test has its own dev_fail() and so on.
tests_unit_test_blkback_ring_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_blkback_ring_SOURCES = tests/unit/test_blkback_ring.c \
	$(fake_host)
tests_unit_test_blkback_ring_LDADD = $(fake_host_LDADD)

tests_unit_test_xenbus_backend_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_xenbus_backend_SOURCES = tests/unit/test_xenbus_backend.c \
	$(fake_host)
tests_unit_test_xenbus_backend_LDADD = $(fake_host_LDADD)

tests_unit_test_ring_poll_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_ring_poll_SOURCES = tests/unit/test_ring_poll.c
tests_unit_test_ring_poll_LDADD = $(fake_host_LDADD)

tests_unit_test_consback_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_consback_SOURCES = tests/unit/test_consback.c $(fake_host)
tests_unit_test_consback_LDADD = $(fake_host_LDADD)

unit_tests += tests/unit/test_store
tests_unit_test_store_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c %D%/store.c \
	%D%/store_value.c $(xs_pipeline)
tests_unit_test_store_LDADD = $(CMOCKA_LIBS) $(EVENT_LIBS) $(XENSTORE_LIBS) \
	-lpthread

unit_tests += tests/unit/test_stats_socket
tests_unit_test_stats_socket_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_stats_socket_SOURCES = tests/unit/test_stats_socket.c \
	$(fake_host)
tests_unit_test_stats_socket_LDADD = $(fake_host_LDADD)

fuzz_tests += tests/fuzz/fuzz_blkback
tests_fuzz_fuzz_blkback_CPPFLAGS = $(driver_CPPFLAGS) \
	-I$(top_srcdir)/tests/unit -DFAKE_PAGES=16
tests_fuzz_fuzz_blkback_SOURCES = tests/fuzz/fuzz_blkback.c $(fuzz_main) \
	$(fake_host) %D%/blkback_connect.c %D%/blkback_ring.c \
	%D%/blk_request.c %D%/grant_pool.c
tests_fuzz_fuzz_blkback_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_blkback_LDADD = $(EVENT_LIBS)

fuzz_tests += tests/fuzz/fuzz_consback tests/fuzz/fuzz_xenbus
tests_fuzz_fuzz_consback_CPPFLAGS = $(driver_CPPFLAGS) \
	-I$(top_srcdir)/tests/unit -DFAKE_PAGES=4
tests_fuzz_fuzz_consback_SOURCES = tests/fuzz/fuzz_consback.c $(fuzz_main) \
	$(fake_host) %D%/consback.c %D%/store_value.c
tests_fuzz_fuzz_consback_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_consback_LDADD = $(EVENT_LIBS)

tests_fuzz_fuzz_xenbus_CPPFLAGS = $(driver_CPPFLAGS) \
	-I$(top_srcdir)/tests/unit
tests_fuzz_fuzz_xenbus_SOURCES = tests/fuzz/fuzz_xenbus.c $(fuzz_main) \
	$(fake_host) %D%/xenbus_backend.c %D%/xenbus_scan.c %D%/store_value.c
tests_fuzz_fuzz_xenbus_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_xenbus_LDADD = $(EVENT_LIBS)

dist_man_MANS += docs/man/ringside-driverd.8
system_tests += tests/system/driverd.sh

unit_tests += tests/unit/test_netback
tests_unit_test_netback_CPPFLAGS = $(driver_CPPFLAGS)
tests_unit_test_netback_SOURCES = tests/unit/test_netback.c $(fake_host)
tests_unit_test_netback_LDADD = $(fake_host_LDADD) $(SLIRP_LIBS)
system_tests += tests/system/disk.sh tests/system/disk_api.sh
guest_programs += tests/system/disk_guest.elf
