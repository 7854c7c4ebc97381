# ringsided: the hypervisor as a daemon.

sbin_PROGRAMS += ringsided
ringsided_CPPFLAGS = $(HOST_CPPFLAGS) -DRINGSIDE_SBINDIR='"$(sbindir)"'
ringsided_SOURCES = %D%/main.c %D%/options.c %D%/options.h \
	%D%/rundir.c %D%/rundir.h $(log_file) $(rundir_check) \
	%D%/supervise.c %D%/supervise.h
ringsided_LDADD = hypervisor/libringside.a $(SECCOMP_LIBS)

system_tests += tests/system/host.sh
