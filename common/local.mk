# common: headers for both sides of every trust boundary.
noinst_HEADERS += %D%/barrier.h %D%/list.h %D%/buckets.h %D%/xen_compat.h \
	%D%/control_wire.h
noinst_HEADERS += %D%/inet_checksum.h

# What the toolstack and the driver domain have in common.
xs_pipeline = %D%/xs_pipeline.h %D%/xs_pipeline.c

unit_tests += tests/unit/test_xs_pipeline
tests_unit_test_xs_pipeline_CPPFLAGS = $(HOST_CPPFLAGS) $(XENSTORE_CFLAGS)
tests_unit_test_xs_pipeline_SOURCES = tests/unit/test_xs_pipeline.c \
	$(xs_pipeline)
tests_unit_test_xs_pipeline_LDADD = $(XENSTORE_LIBS) $(CMOCKA_LIBS) -lpthread
