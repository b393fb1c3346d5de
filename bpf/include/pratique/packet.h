/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets that reach a network without passing the cgroup hooks of IP. */
#ifndef PRATIQUE_PACKET_H
#define PRATIQUE_PACKET_H

#include "pratique/birth.h"
#include "pratique/budget.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_KEY 15
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_ALG 38
#define AF_KCM 41
#define EVENTS_PER_SECOND 5
#define FAMILY(number) (1ULL << (number))

PQ_RING(pq_packets, 1 << 17);

/*
 * Families that stay on this host (UNIX, KEY, NETLINK, ALG), whose traffic the hooks of IP see (INET, INET6), or that
 * ride on a connection of those (KCM). All others, known or to come, are a way around: PACKET, XDP, VSOCK, SMC, TIPC,
 * RDS, CAN, BLUETOOTH, IUCV, QIPCRTR, MCTP, and the networks of the past.
 */
#define HARMLESS_FAMILIES                                                                                              \
	(FAMILY(AF_UNSPEC) | FAMILY(AF_UNIX) | FAMILY(AF_INET) | FAMILY(AF_INET6) | FAMILY(AF_KEY) |                   \
	 FAMILY(AF_NETLINK) | FAMILY(AF_ALG) | FAMILY(AF_KCM))

PQ_INLINE bool is_harmless(__u32 family)
{
	return family < 64 && FAMILY(family) & HARMLESS_FAMILIES;
}

PQ_INLINE struct pq_packet_socket_event *begin_packet_event(__u64 cgroup, __u32 family, __u32 pid, bool stopped)
{
	struct pq_packet_socket_event *event;

	if (!within_budget(cgroup, (__u64)family << 1 | stopped, EVENTS_PER_SECOND)) {
		count_loss(PQ_EVENT_PACKET_SOCKET);
		return 0;
	}
	event = reserve_event(&pq_packets, struct pq_packet_socket_event, PQ_EVENT_PACKET_SOCKET, cgroup, pid);
	if (!event)
		return 0;
	event->family = family;
	event->stopped = stopped;
	__builtin_memset(event->command, 0, PQ_COMM_BYTES);
	return event;
}

#endif
