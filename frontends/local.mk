# frontends: guest code, part of the guest kernel's library.

guest_kernel_libringside_guest_a_SOURCES += %D%/consfront.c %D%/consfront.h
guest_kernel_libringside_guest_a_SOURCES += %D%/blkfront.c \
	%D%/blkfront.h %D%/blkfront_buffer.c %D%/blkfront_xenbus.c
guest_kernel_libringside_guest_a_SOURCES += %D%/netfront.c %D%/netfront.h \
	%D%/netfront_ring.c %D%/netfront_ring.h
