# guest-kernel/net: the port of lwIP, part of the guest kernel's library.

guest_kernel_sources += %D%/ethif.c %D%/net.c %D%/net.h \
	%D%/random.c %D%/resolve.c %D%/socket.c %D%/socket_file.h %D%/socket_poll.c \
	%D%/sys_arch.c %D%/timers.c %D%/timers.h

noinst_HEADERS += include/ringside/net.h \
	%D%/include/lwipopts.h %D%/include/arch/cc.h \
	%D%/include/arch/sys_arch.h %D%/include/arpa/inet.h \
	%D%/include/netdb.h %D%/include/netinet/in.h \
	%D%/include/netinet/tcp.h %D%/include/poll.h \
	%D%/include/lwip/netdb.h \
	%D%/include/sys/dirent.h %D%/include/sys/socket.h

guest_tests += tests/guest/net.elf tests/guest/net.native.elf

guest_programs += tests/system/names_guest.elf
system_tests += tests/system/names.sh
