/*
 * What the devices of guests did, as the driver domain tells it on
 * $RUNDIR/driverd.stats. Its lines are read with suspicion: it has no
 * privilege.
 */
#ifndef RINGSIDE_TOOLS_IO_STATS_H
#define RINGSIDE_TOOLS_IO_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum io_value {
    IO_READS,
    IO_READ_BYTES,
    IO_WRITES,
    IO_WRITE_BYTES,
    IO_FLUSHES,
    IO_DISCARDS,
    IO_ERRORS,
    IO_TX_PACKETS, /* tx: from the guest */
    IO_TX_BYTES,
    IO_TX_ERRORS,
    IO_TX_DROPPED, /* not from the card's own addresses */
    IO_RX_PACKETS,
    IO_RX_BYTES,
    IO_RX_DROPPED,
    IO_TX_FILTERED, /* from here on: of a NAT network */
    IO_FLOWS,
    IO_FLOWS_EVICTED,
    IO_FLOWS_REFUSED,
    IO_VALUES
};

struct device_io {
    char type[16]; /* "vbd", "vif" */
    unsigned int domid, devid;
    uint64_t value[IO_VALUES];
    uint32_t has; /* bit n: value n was told */
};

/* "read_bytes", as in the driver domain's lines and in our JSON. */
const char *io_value_name(enum io_value v);

/* One line, without its newline; false: it is none. Words that are not known
 * are passed over. */
bool io_parse_line(const char *line, struct device_io *out);

/* All devices, to be freed; how many. 0, *list NULL: none are told of, also
 * when nobody answers. */
unsigned int io_read(const char *rundir, struct device_io **list);

#endif
