/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datagrams that came unasked may be answered; and the account of both directions. */
#ifndef PRATIQUE_CALLER_H
#define PRATIQUE_CALLER_H

#include "pratique/flow.h"

#define REFUSE 0
#define PASS 1
#define REPLY_WINDOW (60 * SECOND)

/* Who sent a datagram to the container's port without being asked: it may be answered. */
struct pq_caller {
	__u64 cgroup;
	__u32 address[4];
	__u16 port;
	__u16 own_port;
	__u32 unused;
};

/* The interface tells an answer from a packet that the container sent to itself to forge a caller. */
struct pq_call {
	__u64 at;
	__u64 interface;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct pq_caller);
	__type(value, struct pq_call);
} pq_callers SEC(".maps");

PQ_INLINE struct pq_caller make_caller(__u64 cgroup, const struct pq_peer *peer, __u16 own_port)
{
	struct pq_caller caller = {.cgroup = cgroup, .port = peer->port, .own_port = own_port};

	__builtin_memcpy(caller.address, peer->address, sizeof(caller.address));
	return caller;
}

/* interface 0: not known yet, as in sendmsg; the packet will be asked again. */
PQ_INLINE bool is_reply(const struct pq_owner *owner, const struct pq_peer *peer, __u16 own_port, __u32 interface)
{
	struct pq_caller caller = make_caller(owner->cgroup, peer, own_port);
	struct pq_call *call;

	if (peer->protocol != PQ_FLOW_UDP)
		return false;
	call = bpf_map_lookup_elem(&pq_callers, &caller);
	return call && bpf_ktime_get_ns() - call->at < REPLY_WINDOW && (!interface || interface == call->interface);
}

PQ_INLINE int account(struct pq_owner *owner, struct pq_peer *peer, __u32 verdict, struct pq_amount *amount)
{
	record(owner, peer, PQ_FLOW_EGRESS, verdict, amount);
	return verdict == PQ_FLOW_DENIED ? REFUSE : PASS;
}

/* Traffic of the other direction is listed by the container's own port: peers' ports are random. */
PQ_INLINE int account_ingress(struct pq_owner *owner, struct pq_packet *packet, struct pq_amount *amount, __u32 verdict)
{
	struct pq_peer peer = packet->peer;

	peer.port = packet->own_port;
	record(owner, &peer, PQ_FLOW_INGRESS, verdict, amount);
	return verdict == PQ_FLOW_DENIED ? REFUSE : PASS;
}

#endif
