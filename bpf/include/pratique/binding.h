/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which container a cgroup belongs to and what holds for it.
 *
 * A container is a direct child of a parent cgroup (or of a directory of build steps directly below a parent). Below a
 * parent of kind ALL every child is one, known or not; below one of kind NAMED those that cgroup_mkdir bound by name.
 * Maps cannot be shared between blobs, so each blob that includes this has its own, and its own cgroup_mkdir program;
 * user space writes all of them. A blob that defines TELL_CGROUPS also has a ring "pq_cgroups" of what comes and goes.
 */
#ifndef PRATIQUE_BINDING_H
#define PRATIQUE_BINDING_H

#include "pratique/program.h"

#define CONTAINER_SCOPE "docker-" /* docker-<64 hex>.scope, the systemd cgroup driver's name */
#define SCOPE_PREFIX 7
#define CGROUP_NAME 128
#define WORD_BUILDKIT 0x6275696c646b6974ULL /* "buildkit" */
#define WORD_DOCKER 0x3a646f636b65723aULL   /* ":docker:" */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pq_config);
} pq_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct pq_slot);
} pq_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pq_binding);
} pq_bindings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pq_ticket_key);
	__type(value, struct pq_ticket);
} pq_tickets SEC(".maps");

#ifdef TELL_CGROUPS
PQ_RING(pq_cgroups, 1 << 18);
#endif

/* What holds for the socket or the task at hand. slot is a copy: a swap of policy must not change it half-way. */
struct pq_owner {
	__u64 cgroup;
	__u32 slot_number;
	__u32 generation;
	bool bound; /* its cgroup is there, or was not removed yet */
	struct pq_slot slot;
};

PQ_INLINE struct pq_config *get_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pq_config, &zero);
}

/*
 * Find the owner; false: not a container. ANCESTOR(level) gives the id of the cgroup at that level of the path, 0 if
 * the path is shorter. An unknown slot (removed while this ran) gives the default: never less than that.
 */
#define find_owner(owner, ANCESTOR)                                                                                    \
	({                                                                                                             \
		struct pq_config *config_ = get_config();                                                              \
		bool found_ = false;                                                                                   \
		for (__u32 index_ = 0; config_ && index_ < PQ_MAX_PARENTS && !found_; index_++) {                      \
			struct pq_parent *parent_ = &config_->parents[index_];                                         \
			if (index_ >= config_->parent_count)                                                           \
				break;                                                                                 \
			if (ANCESTOR(parent_->level) != parent_->cgroup)                                               \
				continue;                                                                              \
			__u64 child_ = ANCESTOR(parent_->level + 1);                                                   \
			__u64 below_ = child_ ? ANCESTOR(parent_->level + 2) : 0;                                      \
			found_ = child_ && resolve_owner(owner, config_, parent_->kind, child_, below_);               \
		}                                                                                                      \
		found_;                                                                                                \
	})

static __noinline bool resolve_owner(struct pq_owner *owner, struct pq_config *settings, __u32 parent_kind, __u64 child,
				     __u64 below)
{
	struct pq_binding *binding;
	struct pq_slot *slot;

	if (!owner || !settings)
		return false;
	binding = bpf_map_lookup_elem(&pq_bindings, &child);
	if (!binding && parent_kind == PQ_PARENT_NAMED)
		return false;
	if (binding && binding->kind == PQ_BOUND_GROUP && below) {
		child = below;
		binding = bpf_map_lookup_elem(&pq_bindings, &child);
	}
	owner->cgroup = child;
	owner->generation = settings->generation;
	owner->bound = binding;
	owner->slot_number = binding ? binding->slot : 0;
	slot = owner->slot_number ? bpf_map_lookup_elem(&pq_slots, &owner->slot_number) : 0;
	if (!slot) {
		owner->slot_number = settings->default_slot;
		slot = bpf_map_lookup_elem(&pq_slots, &owner->slot_number);
	}
	if (!slot)
		return false;
	owner->slot = *slot;
	return true;
}

#define CURRENT_ANCESTOR(level) bpf_get_current_ancestor_cgroup_id(level)
#define find_current_owner(owner) find_owner(owner, CURRENT_ANCESTOR)

#endif
