// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The host's end of a container's veth pair (tcx ingress): frames that did not come down through IP end here. However
 * the socket was made, its frames carry it: veth hands them over without letting go of the owner.
 *
 * A frame that the container forwards, or that its kernel sends of its own (ARP, ND), has no such owner and passes.
 */
#include "pratique/packet.h"

#define TCX_NEXT -1
#define TCX_DROP 2

#define FRAME_ANCESTOR(level) bpf_skb_ancestor_cgroup_id(frame, level)

SEC("tc")
int judge_frame(struct __sk_buff *frame)
{
	struct pq_packet_socket_event *event;
	struct pq_owner owner = {};
	struct bpf_sock *socket = frame->sk;
	__u32 family;
	bool stopped;

	if (!socket)
		return TCX_NEXT;
	socket = bpf_sk_fullsock(socket);
	if (!socket)
		return TCX_NEXT;
	family = socket->family;
	if (is_harmless(family) || !find_owner(&owner, FRAME_ANCESTOR))
		return TCX_NEXT;
	stopped = owner.slot.egress >= PQ_EGRESS_ENFORCE;
	event = begin_packet_event(owner.cgroup, family, 0, stopped);
	if (event)
		bpf_ringbuf_submit(event, 0);
	return stopped ? TCX_DROP : TCX_NEXT;
}
