# xenstore: ringside-xenstored, the store.
#
# libxenstored.a is all of it but main(), sockets and the hypervisor, so
# that tests and fuzzers can put their own in place.

xenstore_CPPFLAGS = $(HOST_CPPFLAGS) $(HYPERCALL_HOST_CPPFLAGS) \
	-I$(top_srcdir)/xenstore \
	$(EVENT_CFLAGS) $(SQLITE_CFLAGS)

noinst_LIBRARIES += %D%/libxenstored.a
%C%_libxenstored_a_CPPFLAGS = $(xenstore_CPPFLAGS)
%C%_libxenstored_a_SOURCES = $(printable) $(log_file) \
	%D%/base/budget.c %D%/base/budget.h %D%/base/hash.c %D%/base/hash.h \
	%D%/base/log.c %D%/base/log.h %D%/base/text.c %D%/base/text.h \
	%D%/tree/diff.c %D%/tree/diff.h %D%/tree/children.c %D%/tree/children.h \
	%D%/tree/children_big.c %D%/tree/children_big.h %D%/tree/node.c \
	%D%/tree/node.h %D%/tree/path.c %D%/tree/path.h %D%/tree/perms.c \
	%D%/tree/perms.h %D%/tree/tree.c %D%/tree/tree.h \
	%D%/store/domain.c %D%/store/domain.h %D%/store/hv.h \
	%D%/store/hv_none.c %D%/store/quota.c %D%/store/quota.h \
	%D%/store/special.c %D%/store/special.h %D%/store/store.h \
	%D%/conn/conn.c %D%/conn/conn.h %D%/conn/fair.c %D%/conn/fair.h \
	%D%/conn/outq.c %D%/conn/outq.h %D%/conn/throttle.c \
	%D%/conn/throttle.h %D%/conn/transport.h %D%/conn/wire.c %D%/conn/wire.h \
	%D%/watch/watch.c %D%/watch/watch.h %D%/watch/watch_fire.c \
	%D%/watch/watch_trie.h \
	%D%/txn/txn_snapshot.c %D%/txn/txn_snapshot.h %D%/txn/txn.c %D%/txn/txn.h \
	%D%/txn/txn_commit.c \
	%D%/update/update.c %D%/update/update.h \
	%D%/session/domain_life.c %D%/session/domain_life.h \
	%D%/session/session.c %D%/session/session.h \
	%D%/request/control.c %D%/request/control.h \
	%D%/request/control_log.c %D%/request/control_quota.c \
	%D%/request/control_update.c %D%/request/ops.c %D%/request/ops.h \
	%D%/request/reply.c %D%/request/req_domain.c %D%/request/req_node.c \
	%D%/request/req_path.c %D%/request/req_session.c \
	%D%/request/request.c %D%/request/request.h \
	%D%/serve/serve.c %D%/serve/serve.h %D%/serve/store_life.c \
	%D%/serve/store_life.h %D%/serve/turn.c %D%/serve/turn.h \
	%D%/transport/conn_ring.c %D%/transport/conn_ring.h \
	%D%/persist/db.c %D%/persist/db.h %D%/persist/db_file.c \
	%D%/persist/db_file.h %D%/persist/db_load.c \
	%D%/state/state.h %D%/state/state_check.c \
	%D%/state/state_io.c %D%/state/state_io.h \
	%D%/state/state_load.c %D%/state/state_save.c

sbin_PROGRAMS += ringside-xenstored
ringside_xenstored_CPPFLAGS = $(xenstore_CPPFLAGS)
ringside_xenstored_SOURCES = $(rundir_check) \
	%D%/transport/conn_socket.c %D%/transport/conn_socket.h \
	%D%/transport/hv_ringside.c %D%/transport/hv_ringside.h \
	%D%/daemon/handover.c %D%/daemon/handover.h \
	%D%/daemon/handover_take.c \
	%D%/daemon/daemon.h %D%/daemon/options.c %D%/daemon/options.h \
	%D%/daemon/xenstored.c
ringside_xenstored_LDADD = %D%/libxenstored.a \
	libhypercall/libhypercall-host.a libclient/libringside-client.a \
	$(EVENT_LIBS) $(SQLITE_LIBS)

EXTRA_DIST += %D%/daemon/ringside-xenstored.service.in
if SYSTEMD
systemdsystemunit_DATA = %D%/daemon/ringside-xenstored.service
CLEANFILES += $(systemdsystemunit_DATA)
endif
%D%/daemon/ringside-xenstored.service: %D%/daemon/ringside-xenstored.service.in Makefile
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(SED) 's|@sbindir[@]|$(sbindir)|g' $< >$@.tmp && mv $@.tmp $@

# Tests: a whole store in memory (tests/unit/xs_session.h) under each of them.
xs_test_CPPFLAGS = $(xenstore_CPPFLAGS) -I$(top_srcdir)/tests/unit
xs_test_LDADD = tests/unit/libxs_session.a %D%/libxenstored.a $(CMOCKA_LIBS)

check_LIBRARIES += tests/unit/libxs_session.a
tests_unit_libxs_session_a_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_libxs_session_a_SOURCES = \
	tests/unit/xs_session.c tests/unit/xs_session.h

unit_tests += tests/unit/test_xs_tree tests/unit/test_xs_wire \
	tests/unit/test_xs_session tests/unit/test_xs_txn \
	tests/unit/test_xs_watch tests/unit/test_xs_guest \
	tests/unit/test_xs_ring tests/unit/test_xs_hostile \
	tests/unit/test_xs_model tests/unit/test_xs_db \
	tests/unit/test_xs_db_file tests/unit/test_xs_log \
	tests/unit/test_xs_advisories
tests_unit_test_xs_tree_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_tree_SOURCES = tests/unit/test_xs_tree.c
tests_unit_test_xs_tree_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_wire_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_wire_SOURCES = tests/unit/test_xs_wire.c
tests_unit_test_xs_wire_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_session_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_session_SOURCES = tests/unit/test_xs_session.c
tests_unit_test_xs_session_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_txn_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_txn_SOURCES = tests/unit/test_xs_txn.c
tests_unit_test_xs_txn_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_watch_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_watch_SOURCES = tests/unit/test_xs_watch.c
tests_unit_test_xs_watch_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_guest_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_guest_SOURCES = tests/unit/test_xs_guest.c
tests_unit_test_xs_guest_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_db_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_db_SOURCES = tests/unit/test_xs_db.c
tests_unit_test_xs_db_LDADD = $(xs_test_LDADD) $(SQLITE_LIBS)
tests_unit_test_xs_db_file_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_db_file_SOURCES = tests/unit/test_xs_db_file.c
tests_unit_test_xs_db_file_LDADD = $(xs_test_LDADD) $(SQLITE_LIBS)
tests_unit_test_xs_advisories_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_advisories_SOURCES = tests/unit/test_xs_advisories.c
tests_unit_test_xs_advisories_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_log_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_log_SOURCES = tests/unit/test_xs_log.c
tests_unit_test_xs_log_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_model_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_model_SOURCES = tests/unit/test_xs_model.c \
	tests/unit/xs_model.c tests/unit/xs_model.h \
	tests/unit/xs_model_node.c tests/unit/xs_model_perms.c \
	tests/unit/xs_model_tree.c \
	tests/unit/xs_model_txn.c tests/unit/xs_model_watch.c \
	tests/unit/xs_model_world.c tests/unit/xs_stage.h \
	tests/unit/xs_play.c tests/unit/xs_play.h \
	tests/unit/xs_play_check.c \
	tests/unit/xs_play_make.c tests/unit/xs_play_run.c \
	tests/unit/xs_play_shrink.c tests/unit/xs_play_text.c
tests_unit_test_xs_model_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_hostile_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_hostile_SOURCES = tests/unit/test_xs_hostile.c
tests_unit_test_xs_hostile_LDADD = $(xs_test_LDADD)
tests_unit_test_xs_hostile_LDFLAGS = $(SANITIZER_CFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
tests_unit_test_xs_ring_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_ring_SOURCES = tests/unit/test_xs_ring.c
tests_unit_test_xs_ring_LDADD = $(xs_test_LDADD)

unit_tests += tests/unit/test_xs_state
tests_unit_test_xs_state_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_unit_test_xs_state_SOURCES = tests/unit/test_xs_state.c
tests_unit_test_xs_state_LDADD = $(xs_test_LDADD)

fuzz_tests += tests/fuzz/fuzz_xs
tests_fuzz_fuzz_xs_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_fuzz_fuzz_xs_SOURCES = tests/fuzz/fuzz_xs.c $(fuzz_main)
tests_fuzz_fuzz_xs_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_xs_LDADD = tests/unit/libxs_session.a %D%/libxenstored.a

fuzz_tests += tests/fuzz/fuzz_xs_wire
tests_fuzz_fuzz_xs_wire_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_fuzz_fuzz_xs_wire_SOURCES = tests/fuzz/fuzz_xs_wire.c $(fuzz_main)
tests_fuzz_fuzz_xs_wire_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_xs_wire_LDADD = tests/unit/libxs_session.a %D%/libxenstored.a

fuzz_tests += tests/fuzz/fuzz_xs_state
tests_fuzz_fuzz_xs_state_CPPFLAGS = $(xs_test_CPPFLAGS)
tests_fuzz_fuzz_xs_state_SOURCES = tests/fuzz/fuzz_xs_state.c $(fuzz_main)
tests_fuzz_fuzz_xs_state_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_xs_state_LDADD = %D%/libxenstored.a

check_PROGRAMS += tests/system/update_client
tests_system_update_client_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
tests_system_update_client_SOURCES = tests/system/update_client.c
tests_system_update_client_LDADD = $(XENSTORE_LIBS)
guest_programs += tests/system/update_guest.elf
system_tests += tests/system/xenstore_update.sh
system_tests += tests/system/xenstore.sh tests/system/xenstore_guests.sh \
	tests/system/xenstore_db.sh tests/system/xenstore_control.sh \
	tests/system/xenstore_unit.sh
EXTRA_DIST += tests/system/xenstored.bash
system_tests += tests/system/xenstore_hostile_client.sh \
	tests/system/xenstore_hostile.sh
check_PROGRAMS += tests/system/xs_hostile
tests_system_xs_hostile_CPPFLAGS = $(HOST_CPPFLAGS)
tests_system_xs_hostile_SOURCES = tests/system/xs_hostile.c
guest_tests += tests/guest/store_ring.elf
guest_inside += tests/guest/store_ring.elf

dist_man_MANS += docs/man/ringside-xenstored.8
