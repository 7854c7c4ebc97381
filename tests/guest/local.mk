# Guest tests: see tests/run-guest for what one looks like.

guest_tests += \
	%D%/abort.elf %D%/argv.elf %D%/balloon.elf %D%/block.elf %D%/boot.elf %D%/events.elf \
	%D%/exit7.elf %D%/exit_blocked.elf %D%/exit_thread.elf %D%/fault_divide.elf \
	%D%/fault_handler.elf %D%/fault_hole.elf %D%/fault_no_stack.elf %D%/fault_null.elf \
	%D%/fault_run_data.elf %D%/fault_stack.elf \
	%D%/fault_stack_thread.elf %D%/fault_ud2.elf \
	%D%/fault_write_text.elf %D%/grants.elf %D%/halts.elf %D%/heap.elf \
	%D%/hypercalls.elf %D%/interrupted.elf %D%/leaks.elf \
	%D%/panic_blocking.elf %D%/poll.elf %D%/registers.elf %D%/runstate.elf %D%/stdio.elf \
	%D%/store.elf %D%/threads.elf %D%/time.elf \
	%D%/smp.elf %D%/smp_crash.elf %D%/smp_exit.elf %D%/vchan.elf %D%/vcpus.elf %D%/watchdog.elf

# The same programs on the native twin of the kernel, in mode trap. (Those of
# several vCPUs have none.)
native_tests = abort argv balloon block boot events exit7 exit_blocked exit_thread \
	fault_divide fault_handler fault_hole fault_no_stack fault_null \
	fault_run_data fault_stack fault_stack_thread fault_ud2 \
	fault_write_text grants halts heap hypercalls interrupted leaks \
	panic_blocking poll registers runstate stdio store threads time vchan watchdog
guest_tests += $(native_tests:%=%D%/%.native.elf)
# And those of the instructions themselves.
guest_tests += %D%/halted.native.elf %D%/instructions.native.elf \
	%D%/unknown.native.elf

EXTRA_DIST += %D%/tap.h
