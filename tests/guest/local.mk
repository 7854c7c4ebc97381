# Guest tests: see tests/local.mk. A test without the word "expect" in its
# run-guest comment prints TAP and ends with 0.

guest_tests += \
	%D%/argv.elf %D%/boot.elf %D%/events.elf %D%/grants.elf %D%/heap.elf \
	%D%/hypercalls.elf %D%/interrupted.elf %D%/leaks.elf %D%/stdio.elf \
	%D%/threads.elf %D%/time.elf

EXTRA_DIST += %D%/tap.h
