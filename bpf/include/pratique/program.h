/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program of every blob needs: includes, licence, ring buffers that count what they lose. */
#ifndef PRATIQUE_PROGRAM_H
#define PRATIQUE_PROGRAM_H

#include <vmlinux.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "pratique/wire.h"

#define PQ_INLINE static __always_inline

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The light loader needs BTF of keys and values: __type, never __uint(key_size). */
#define PQ_RING(name, bytes)                                                                                           \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                                    \
		__uint(max_entries, bytes);                                                                            \
	} name SEC(".maps")

/* Events that found their ring full, for each kind of event. */
#define PQ_MAX_EVENT_KINDS 32
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PQ_MAX_EVENT_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} pq_losses SEC(".maps");

PQ_INLINE void count_loss(__u32 kind)
{
	__u64 *lost = bpf_map_lookup_elem(&pq_losses, &kind);

	if (lost)
		++*lost;
}

/* Reserve a record and fill in its header; NULL, and counted, when the ring is full. Submit or discard it. */
#define reserve_event(ring, type, event_kind, event_cgroup, event_pid)                                                 \
	({                                                                                                             \
		type *record_ = bpf_ringbuf_reserve(ring, sizeof(type), 0);                                            \
		if (record_)                                                                                           \
			record_->header = (struct pq_event_header){                                                    \
			    .at = bpf_ktime_get_ns(),                                                                  \
			    .cgroup = event_cgroup,                                                                    \
			    .kind = event_kind,                                                                        \
			    .pid = event_pid,                                                                          \
			};                                                                                             \
		else                                                                                                   \
			count_loss(event_kind);                                                                        \
		record_;                                                                                               \
	})

#endif
