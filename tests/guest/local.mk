# Guest tests: see tests/run-guest for what one looks like.

guest_tests += \
	%D%/abort.elf %D%/argv.elf %D%/balloon.elf %D%/block.elf %D%/boot.elf %D%/broken.elf %D%/carried.elf %D%/destructors.elf %D%/events.elf \
	%D%/exit7.elf %D%/exit_blocked.elf %D%/exit_thread.elf %D%/fault_divide.elf \
	%D%/fault_handler.elf %D%/fault_hole.elf %D%/fault_no_stack.elf %D%/fault_null.elf \
	%D%/fault_run_data.elf %D%/fault_stack.elf \
	%D%/fault_stack_thread.elf %D%/fault_ud2.elf \
	%D%/fault_write_text.elf %D%/granted.elf %D%/grants.elf %D%/halts.elf %D%/heap.elf \
	%D%/hypercalls.elf %D%/interrupted.elf %D%/leaks.elf %D%/memory.elf %D%/options.elf %D%/options_ip.elf \
	%D%/panic_blocking.elf %D%/poll.elf %D%/printf.elf %D%/registers.elf %D%/resolve.elf %D%/runstate.elf %D%/stdio.elf \
	%D%/store.elf %D%/threads.elf %D%/time.elf \
	%D%/smp.elf %D%/smp_crash.elf %D%/smp_exit.elf %D%/smp_time.elf %D%/vchan.elf %D%/vcpus.elf %D%/watchdog.elf

if EMULATE
# The same programs on the native twin of the kernel, in mode trap. (Those of
# several vCPUs have none.)
guest_tests += %D%/abort.native.elf %D%/argv.native.elf \
	%D%/balloon.native.elf %D%/block.native.elf %D%/boot.native.elf \
	%D%/destructors.native.elf %D%/events.native.elf %D%/exit7.native.elf %D%/exit_blocked.native.elf \
	%D%/exit_thread.native.elf %D%/fault_divide.native.elf \
	%D%/fault_handler.native.elf %D%/fault_hole.native.elf \
	%D%/fault_no_stack.native.elf %D%/fault_null.native.elf \
	%D%/fault_run_data.native.elf %D%/fault_stack.native.elf \
	%D%/fault_stack_thread.native.elf %D%/fault_ud2.native.elf \
	%D%/fault_write_text.native.elf %D%/grants.native.elf %D%/halts.native.elf \
	%D%/heap.native.elf %D%/hypercalls.native.elf %D%/interrupted.native.elf \
	%D%/leaks.native.elf %D%/memory.native.elf %D%/options.native.elf %D%/options_ip.native.elf %D%/panic_blocking.native.elf %D%/poll.native.elf %D%/printf.native.elf \
	%D%/registers.native.elf %D%/resolve.native.elf %D%/runstate.native.elf %D%/stdio.native.elf \
	%D%/store.native.elf %D%/threads.native.elf %D%/time.native.elf \
	%D%/vchan.native.elf %D%/watchdog.native.elf
# And those of the instructions themselves.
guest_tests += %D%/halted.native.elf %D%/instructions.native.elf \
	%D%/unknown.native.elf
endif
EXTRA_DIST += %D%/halted.c %D%/instructions.c %D%/unknown.c

# Those that test the kernel from inside.
guest_inside += %D%/balloon.elf %D%/block.elf %D%/boot.elf %D%/broken.elf \
	%D%/carried.elf %D%/events.elf %D%/fault_handler.elf \
	%D%/fault_hole.elf %D%/granted.elf %D%/grants.elf %D%/halts.elf \
	%D%/interrupted.elf %D%/memory.elf %D%/panic_blocking.elf \
	%D%/poll.elf %D%/registers.elf %D%/runstate.elf %D%/store.elf \
	%D%/threads.elf %D%/time.elf %D%/vcpus.elf
guest_inside += %D%/balloon.native.elf %D%/block.native.elf \
	%D%/boot.native.elf %D%/events.native.elf \
	%D%/fault_handler.native.elf %D%/fault_hole.native.elf \
	%D%/grants.native.elf %D%/halts.native.elf \
	%D%/instructions.native.elf %D%/interrupted.native.elf \
	%D%/memory.native.elf %D%/panic_blocking.native.elf \
	%D%/poll.native.elf %D%/registers.native.elf %D%/runstate.native.elf \
	%D%/store.native.elf %D%/threads.native.elf %D%/time.native.elf

# A program that defines every name which the SDK hides from programs.
guest_tests += %D%/own_names.elf
if EMULATE
guest_tests += %D%/own_names.native.elf
endif
%D%/own_names.elf %D%/own_names.native.elf: %D%/own_names.h
CLEANFILES += %D%/own_names.h
%D%/own_names.h: guest-sdk/names.map
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(SED) 's/ .*//; s/.*/OWN(&)/' guest-sdk/names.map >$@

EXTRA_DIST += %D%/tap.h
