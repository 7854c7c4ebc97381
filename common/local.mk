# common: headers for both sides of every trust boundary.
noinst_HEADERS += %D%/barrier.h %D%/list.h %D%/buckets.h %D%/xen_compat.h \
	%D%/control_wire.h
noinst_HEADERS += %D%/inet_checksum.h
