/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The first bytes of two kinds of conversation that give themselves away: JSON lines over TCP (the stratum protocol of
 * mining pools begins with '{') and DNS questions. The same question is told once a minute, and a container may tell
 * of so many a second.
 */
#ifndef PRATIQUE_PAYLOAD_H
#define PRATIQUE_PAYLOAD_H

#include "pratique/flow.h"

#define DNS_PORT 53
#define DNS_ID_BYTES 2
#define REPEAT_AFTER (60 * SECOND)
#define QUESTIONS_PER_SECOND 64

struct pq_question {
	__u64 cgroup;
	__u64 hash;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct pq_question);
	__type(value, __u64);
} pq_questions SEC(".maps");

/* FNV-1a over words; the id of a DNS message is left out. */
PQ_INLINE __u64 hash_payload(struct pq_payload_event *event)
{
	__u64 *words = (__u64 *)event->payload;
	__u64 hash = 0xcbf29ce484222325ULL, first = words[0];

	__builtin_memset(&first, 0, DNS_ID_BYTES);
	for (int i = 0; i < PQ_PAYLOAD_BYTES / 8; i++)
		hash = (hash ^ (i ? words[i] : first)) * 0x100000001b3ULL;
	return hash;
}

PQ_INLINE bool is_news(__u64 cgroup, __u64 hash)
{
	struct pq_question question = {.cgroup = cgroup, .hash = hash};
	__u64 now = bpf_ktime_get_ns();
	__u64 *before = bpf_map_lookup_elem(&pq_questions, &question);

	if (before && now - *before < REPEAT_AFTER)
		return false;
	if (!within_budget(cgroup, PQ_EVENT_PAYLOAD, QUESTIONS_PER_SECOND)) {
		count_loss(PQ_EVENT_PAYLOAD);
		return false;
	}
	bpf_map_update_elem(&pq_questions, &question, &now, BPF_ANY);
	return true;
}

static __noinline int tell_payload(struct __sk_buff *skb, struct pq_owner *owner, struct pq_packet *packet)
{
	struct pq_payload_event *event;
	__u32 length;

	if (!owner || !packet || skb->len <= packet->payload)
		return 0;
	length = skb->len - packet->payload - 1;
	event = reserve_event(&pq_events, struct pq_payload_event, PQ_EVENT_PAYLOAD, owner->cgroup, 0);
	if (!event)
		return 0;
	if (length >= PQ_PAYLOAD_BYTES)
		length = PQ_PAYLOAD_BYTES - 1;
	length = (length & (PQ_PAYLOAD_BYTES - 1)) + 1;
	__builtin_memset(event->payload, 0, PQ_PAYLOAD_BYTES);
	__builtin_memcpy(event->address, packet->peer.address, 16);
	event->port = packet->peer.port;
	event->protocol = packet->peer.protocol;
	event->family = packet->peer.family;
	event->length = length;
	if (bpf_skb_load_bytes(skb, packet->payload, event->payload, length) ||
	    (event->protocol == PQ_FLOW_TCP ? event->payload[0] != '{' : !is_news(owner->cgroup, hash_payload(event))))
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
