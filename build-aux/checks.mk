# Goals that look at the whole tree: bench, fuzz, analyze, format-check.

EXTRA_DIST += build-aux/core-size build-aux/corpus build-aux/cycles \
	build-aux/fuzz build-aux/analyze \
	build-aux/get-xenstore-control build-aux/get-kernel

all_sources = find $(addprefix $(srcdir)/, include common libhypercall \
	libclient hypervisor guest-kernel frontends backends xenstore tools examples \
	tests bench) -name '*.[ch]'

# One engine's figures, side by side with native ones: BENCH names which.
BENCH = boot hypercall event blk net
BENCH_FLAGS =
bench: all
	@for b in $(BENCH); do ./ringside bench $$b $(BENCH_FLAGS) || exit 1; done

# Every fuzz target under libFuzzer for FUZZ_SECONDS each.
FUZZ_SECONDS = 30
fuzz:
	$(top_srcdir)/build-aux/fuzz $(abs_top_builddir)/variants/fuzz \
	    $(FUZZ_SECONDS) $(fuzz_tests)

# Static analysis of host code: the compiler's own, then clang-tidy and
# cppcheck where they are installed.
analyze:
	$(top_srcdir)/build-aux/analyze $(abs_top_builddir)/variants/analyze

CLANG_FORMAT = clang-format
format-check:
	@$(all_sources) | xargs $(CLANG_FORMAT) --dry-run --Werror
format:
	@$(all_sources) | xargs $(CLANG_FORMAT) -i

.PHONY: bench fuzz analyze format-check format
