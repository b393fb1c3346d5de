/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many events a container gets for one thing in a second, so that it cannot flood a ring buffer. */
#ifndef PRATIQUE_BUDGET_H
#define PRATIQUE_BUDGET_H

#include "pratique/program.h"

#define SECOND 1000000000ULL

struct pq_budget_key {
	__u64 cgroup;
	__u64 what; /* 0: everything of the container */
};

struct pq_budget {
	__u64 since;
	__u64 used;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct pq_budget_key);
	__type(value, struct pq_budget);
} pq_budgets SEC(".maps");

PQ_INLINE bool within_budget(__u64 cgroup, __u64 what, __u64 limit)
{
	struct pq_budget_key key = {.cgroup = cgroup, .what = what};
	struct pq_budget *budget = bpf_map_lookup_elem(&pq_budgets, &key);
	__u64 now = bpf_ktime_get_ns();

	if (!budget) {
		struct pq_budget first = {.since = now, .used = 1};

		bpf_map_update_elem(&pq_budgets, &key, &first, BPF_ANY);
		return true;
	}
	if (now - budget->since >= SECOND) {
		budget->since = now;
		budget->used = 0;
	}
	return __sync_fetch_and_add(&budget->used, 1) < limit;
}

#endif
