# common: headers for both sides of every trust boundary.
noinst_HEADERS += %D%/barrier.h %D%/list.h %D%/buckets.h %D%/xen_compat.h \
	%D%/control_wire.h
noinst_HEADERS += %D%/inet_checksum.h %D%/peer.h \
	%D%/socket_name.h

# Whose runtime directory it is.
rundir_check = %D%/rundir_check.h %D%/rundir_check.c

unit_tests += tests/unit/test_rundir_check
tests_unit_test_rundir_check_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
tests_unit_test_rundir_check_SOURCES = tests/unit/test_rundir_check.c \
	$(rundir_check) $(xs_pipeline)
tests_unit_test_rundir_check_LDADD = libclient/libringside-client.a \
	$(XENSTORE_LIBS) $(CMOCKA_LIBS)

# Text of strangers, for logs and terminals.
printable = %D%/printable.h %D%/printable.c

unit_tests += tests/unit/test_printable
tests_unit_test_printable_SOURCES = tests/unit/test_printable.c $(printable)
tests_unit_test_printable_LDADD = $(CMOCKA_LIBS)

# Log files of bounded size.
log_file = %D%/log_file.h %D%/log_file.c

unit_tests += tests/unit/test_log_file
tests_unit_test_log_file_SOURCES = tests/unit/test_log_file.c $(log_file)
tests_unit_test_log_file_LDADD = $(CMOCKA_LIBS)

# Locks on disk images.
image_lock = %D%/image_lock.h %D%/image_lock.c

unit_tests += tests/unit/test_image_lock
tests_unit_test_image_lock_SOURCES = tests/unit/test_image_lock.c $(image_lock)
tests_unit_test_image_lock_LDADD = $(CMOCKA_LIBS)

# What the toolstack and the driver domain have in common.
xs_pipeline = %D%/xs_pipeline.h %D%/xs_pipeline.c

unit_tests += tests/unit/test_xs_pipeline
tests_unit_test_xs_pipeline_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
tests_unit_test_xs_pipeline_SOURCES = tests/unit/test_xs_pipeline.c \
	$(xs_pipeline)
tests_unit_test_xs_pipeline_LDADD = $(XENSTORE_LIBS) $(CMOCKA_LIBS) -lpthread
