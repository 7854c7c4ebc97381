/*
 * Antispoof: a network card sends from its own addresses only.
 *
 * On a bridge whoever sends from a neighbour's hardware address gets the
 * neighbour's frames, and whoever claims an IP address by ARP as well. So the
 * source of each Ethernet frame and the sender of each ARP packet must be the
 * card's hardware address; and if the card was given an IP address (`ip=`) only
 * IPv4 packets from it and ARP for it pass, and DHCP requests.
 */
#ifndef RINGSIDE_BACKENDS_VIF_FILTER_H
#define RINGSIDE_BACKENDS_VIF_FILTER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vif_filter {
    bool check_mac, check_ip;
    uint8_t mac[6];
    struct in_addr ip;
};

/* May the card send this frame? One shorter than its headers may not. */
bool vif_filter_passes(const struct vif_filter *filter, const void *frame,
                       size_t len);

#endif
