/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules, and the account of who talked to whom: added up here, so that user space hears of a conversation once. */
#ifndef PRATIQUE_FLOW_H
#define PRATIQUE_FLOW_H

#include "pratique/binding.h"
#include "pratique/budget.h"
#include "pratique/parse.h"

#define RULE_FIXED_BITS 64 /* slot, port, protocol, family */
#define MAX_RULES (1 << 20)
#define MAX_FLOWS (1 << 16)

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, MAX_RULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pq_rule_key);
	__type(value, __u8);
} pq_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FLOWS);
	__type(key, struct pq_flow_key);
	__type(value, struct pq_flow_value);
} pq_flows SEC(".maps");

PQ_RING(pq_events, 1 << 22);

/* What the slot says about a peer: exactly, with any port, with any protocol. */
static __noinline __u32 judge(struct pq_owner *owner, struct pq_peer *peer)
{
	struct pq_rule_key key;

	if (!owner || !peer)
		return PQ_FLOW_DENIED;
	key = (struct pq_rule_key){
	    .prefixlen = RULE_FIXED_BITS + (peer->family == PQ_FAMILY_IPV4 ? 32 : 128),
	    .slot = owner->slot_number,
	    .port = peer->port,
	    .protocol = peer->protocol,
	    .family = peer->family,
	};
	__builtin_memcpy(key.address, peer->address, sizeof(key.address));
	if (owner->slot.rules & PQ_RULE_PORT && key.port && bpf_map_lookup_elem(&pq_rules, &key))
		return PQ_FLOW_ALLOWED;
	key.port = 0;
	if (owner->slot.rules & PQ_RULE_PROTOCOL && bpf_map_lookup_elem(&pq_rules, &key))
		return PQ_FLOW_ALLOWED;
	key.protocol = 0;
	if (owner->slot.rules & PQ_RULE_ANY && bpf_map_lookup_elem(&pq_rules, &key))
		return PQ_FLOW_ALLOWED;
	switch (owner->slot.egress) {
	case PQ_EGRESS_LEARN:
		return PQ_FLOW_LEARNT;
	case PQ_EGRESS_MONITOR:
		return PQ_FLOW_REPORTED;
	default:
		return PQ_FLOW_DENIED;
	}
}

/* The task at hand, by CO-RE: which helpers a cgroup program may call for this differs between kernels. */
PQ_INLINE __u32 read_task(char *command)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	bpf_probe_read_kernel_str(command, PQ_COMM_BYTES, task->comm);
	return BPF_CORE_READ(task, tgid);
}

PQ_INLINE void tell_flow(const struct pq_flow_key *key)
{
	struct pq_flow_event *event = reserve_event(&pq_events, struct pq_flow_event, PQ_EVENT_FLOW, key->cgroup, 0);

	if (!event)
		return;
	event->key = *key;
	event->header.pid = key->direction == PQ_FLOW_EGRESS ? read_task(event->command) : 0;
	if (key->direction != PQ_FLOW_EGRESS)
		__builtin_memset(event->command, 0, PQ_COMM_BYTES);
	bpf_ringbuf_submit(event, 0);
}

struct pq_amount {
	__u32 packets;
	__u32 bytes;
};

PQ_INLINE struct pq_flow_key make_flow_key(const struct pq_owner *owner, const struct pq_peer *peer, __u32 direction,
					   __u32 verdict)
{
	struct pq_flow_key key = {
	    .cgroup = owner->cgroup,
	    .policy = owner->slot.policy,
	    .port = peer->port,
	    .protocol = peer->protocol,
	    .family = peer->family,
	    .direction = direction,
	    .verdict = verdict,
	};

	__builtin_memcpy(key.address, peer->address, sizeof(key.address));
	return key;
}

/* Add to a flow; tell of a new one, and of refusals once a second. Ingress: peer->port is the container's own port. */
static __noinline int record(struct pq_owner *owner, struct pq_peer *peer, __u32 direction, __u32 verdict,
			     struct pq_amount *amount)
{
	struct pq_flow_value *value, fresh = {};
	struct pq_flow_key key;
	__u64 now, told;

	if (!owner || !peer || !amount)
		return 0;
	key = make_flow_key(owner, peer, direction, verdict);
	now = bpf_ktime_get_ns();
	value = bpf_map_lookup_elem(&pq_flows, &key);
	if (value) {
		__sync_fetch_and_add(&value->packets, amount->packets);
		__sync_fetch_and_add(&value->bytes, amount->bytes);
		value->last = now;
		told = value->told;
		if (verdict == PQ_FLOW_DENIED && now - told >= SECOND &&
		    __sync_val_compare_and_swap(&value->told, told, now) == told)
			tell_flow(&key);
		return 0;
	}
	fresh.packets = amount->packets;
	fresh.bytes = amount->bytes;
	fresh.first = fresh.last = fresh.told = now;
	if (direction == PQ_FLOW_EGRESS)
		read_task(fresh.command);
	if (!bpf_map_update_elem(&pq_flows, &key, &fresh, BPF_NOEXIST))
		tell_flow(&key);
	return 0;
}

#endif
