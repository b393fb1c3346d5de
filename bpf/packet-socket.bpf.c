// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A process asks for a socket that the hooks of IP do not see: it is killed before it has the socket where the egress
 * list is enforced, and reported elsewhere. io_uring and 32-bit system calls come in by another door: packet-link.bpf.c
 * is behind it.
 */
#include "pratique/packet.h"

#define SIGKILL 9
#define SOCK_PACKET 10
#define SOCK_TYPE_MASK 0xf

SEC("tp/syscalls/sys_enter_socket")
int ask_for_socket(struct trace_event_raw_sys_enter *ctx)
{
	volatile __u32 type = ctx->args[1];
	__u32 family = ctx->args[0];
	struct pq_packet_socket_event *event;
	struct pq_owner owner = {};
	bool stopped = false;

	/* Linux 2.0's name for a packet socket, which the kernel still knows */
	if (family == AF_INET && (type & SOCK_TYPE_MASK) == SOCK_PACKET)
		family = AF_PACKET;
	if (is_harmless(family) || !find_current_owner(&owner))
		return 0;
	if (owner.slot.egress >= PQ_EGRESS_ENFORCE)
		stopped = !bpf_send_signal(SIGKILL);
	event = begin_packet_event(owner.cgroup, family, bpf_get_current_pid_tgid() >> 32, stopped);
	if (!event)
		return 0;
	bpf_get_current_comm(event->command, PQ_COMM_BYTES);
	bpf_ringbuf_submit(event, 0);
	return 0;
}
