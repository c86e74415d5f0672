# Programs that only measurements need; `bench/README.md` says which.

BENCH_PROGRAMS := $(BUILD)/bench/dump_rows $(BUILD)/bench/copy_memory \
    $(BUILD)/bench/time_ranks

.PHONY: bench-programs
## bench-programs: what the scripts of bench/ need beside lmdepth
bench-programs: $(BENCH_PROGRAMS)

$(BUILD)/bench/dump_rows $(BUILD)/bench/copy_memory: $(BUILD)/bench/%: bench/%.c $(core_library) $(BUILD)/.deps $(BUILD)/.flags
	@mkdir -p $(@D); echo "  cc $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(HARDEN_LDFLAGS) -o $@ $< $(core_library) $(PACKAGE_LIBS)

$(BUILD)/bench/time_ranks: bench/time_ranks.c $(mpi_library) $(core_library) $(BUILD)/.deps $(BUILD)/.flags
	@mkdir -p $(@D); echo "  mpicc $<"
	$(Q)$(MPICC) $(CFLAGS_ALL) $(HARDEN_LDFLAGS) -o $@ $< $(mpi_library) $(core_library) $(PACKAGE_LIBS)
