# guest-kernel/fs: file systems, part of the guest kernel's library.

guest_kernel_sources += %D%/tar.c %D%/tar.h \
	%D%/tar_extended.c %D%/tar_format.c %D%/tar_index.h \
	%D%/tar_scan.c %D%/tar_scan.h \
	%D%/tarfs.c %D%/tarfs.h %D%/tarfs_file.c %D%/dirent.c

tar_parser = %D%/tar.c %D%/tar_extended.c %D%/tar_format.c %D%/tar_scan.c

unit_tests += tests/unit/test_tar
tests_unit_test_tar_CPPFLAGS = $(HOST_CPPFLAGS)
tests_unit_test_tar_SOURCES = tests/unit/test_tar.c $(tar_parser)
tests_unit_test_tar_LDADD = $(CMOCKA_LIBS)

fuzz_tests += tests/fuzz/fuzz_tar
tests_fuzz_fuzz_tar_CPPFLAGS = $(HOST_CPPFLAGS)
tests_fuzz_fuzz_tar_SOURCES = tests/fuzz/fuzz_tar.c $(fuzz_main) $(tar_parser)
tests_fuzz_fuzz_tar_LDFLAGS = $(FUZZ_LINK)
