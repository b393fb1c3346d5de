/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs that bind a container's cgroup in the instant it is made and forget it when it is removed. Include this
 * in every blob that includes binding.h.
 *
 * Only direct children of a parent count, so that a container, which may make cgroups below its own, cannot claim the
 * ticket of another. The tracepoints fire for cgroup v1 hierarchies too, whose ids mean something else.
 */
#ifndef PRATIQUE_BIRTH_H
#define PRATIQUE_BIRTH_H

#include "pratique/binding.h"

struct pq_cgroup_name {
	char text[CGROUP_NAME];
};

/* Names are too long for the stack of 512 bytes next to everything else. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pq_cgroup_name);
} pq_names SEC(".maps");

PQ_INLINE bool is_unified(struct cgroup *cgroup)
{
	return cgroup->root->hierarchy_id == 0;
}

/*
 * Text is compared without branches, as differences that are zero where it fits: each branch in a loop would double
 * the paths that the verifier has to walk. hide() keeps clang from making branches again.
 */
#define hide(value) asm volatile("" : "+r"(value))

/* 0 below limit, else 1; for values up to 2^31. */
PQ_INLINE __u32 at_least(__u32 value, __u32 limit)
{
	__u32 difference = value - limit;

	hide(difference);
	return 1 ^ difference >> 31;
}

PQ_INLINE __u32 differs(const char *text, const char *wanted, int length)
{
	__u32 difference = 0;

	for (int i = 0; i < length; i++)
		difference |= text[i] ^ wanted[i];
	return difference;
}

/* 64 lower-case hexadecimal digits */
PQ_INLINE bool is_hex(const char *text)
{
	__u32 wrong = 0;

	for (int i = 0; i < PQ_NAME_BYTES; i++) {
		__u32 c = (__u8)text[i];

		wrong |= at_least((c - '0') & 0xff, 10) & at_least((c - 'a') & 0xff, 6);
	}
	return !wrong;
}

/* "docker-<64 hex>.scope" */
PQ_INLINE bool is_scope(const struct pq_cgroup_name *name)
{
	return !differs(name->text, CONTAINER_SCOPE, SCOPE_PREFIX) &&
	       !differs(name->text + SCOPE_PREFIX + PQ_NAME_BYTES, ".scope", 7) && is_hex(name->text + SCOPE_PREFIX);
}

/* BuildKit's steps below systemd: "<slice>:docker:<id>", or a name with "buildkit" in it. */
PQ_INLINE bool is_build(const struct pq_cgroup_name *name)
{
	__u64 window = 0, same = 0;

	for (int i = 0; i < CGROUP_NAME; i++) {
		__u64 buildkit, docker;

		window = window << 8 | (__u8)name->text[i];
		buildkit = window ^ WORD_BUILDKIT;
		docker = window ^ WORD_DOCKER;
		hide(buildkit);
		hide(docker);
		same |= ~(buildkit | -buildkit) | ~(docker | -docker);
	}
	return same >> 63;
}

PQ_INLINE struct pq_parent *find_parent(struct pq_config *settings, __u64 id)
{
	for (__u32 i = 0; i < PQ_MAX_PARENTS; i++)
		if (i < settings->parent_count && settings->parents[i].cgroup == id)
			return &settings->parents[i];
	return 0;
}

/* Fill in the binding of a new child; false: it is none of ours. */
PQ_INLINE bool describe_child(struct pq_binding *binding, const struct pq_cgroup_name *name, struct pq_config *settings,
			      __u64 above)
{
	struct pq_parent *parent = find_parent(settings, above);
	const char *shown = name->text;

	if (!parent) {
		struct pq_binding *directory = bpf_map_lookup_elem(&pq_bindings, &above);

		if (!directory || directory->kind != PQ_BOUND_GROUP)
			return false;
		binding->kind = PQ_BOUND_BUILD;
	} else if (is_hex(name->text) && name->text[PQ_NAME_BYTES] == 0) {
		binding->kind = PQ_BOUND_CONTAINER;
	} else if (is_scope(name)) {
		binding->kind = PQ_BOUND_CONTAINER;
		shown += SCOPE_PREFIX;
	} else if (!differs(name->text, "buildkit", 9)) {
		binding->kind = PQ_BOUND_GROUP;
	} else if (is_build(name)) {
		binding->kind = PQ_BOUND_BUILD;
	} else if (parent->kind == PQ_PARENT_ALL) {
		binding->kind = PQ_BOUND_OTHER;
	} else {
		return false;
	}
	__builtin_memcpy(binding->name, shown, PQ_NAME_BYTES);
	return true;
}

PQ_INLINE void tell_cgroup(__u64 id, const struct pq_binding *binding, bool created)
{
#ifdef TELL_CGROUPS
	struct pq_cgroup_event *event = reserve_event(&pq_cgroups, struct pq_cgroup_event, PQ_EVENT_CGROUP, id, 0);

	if (!event)
		return;
	event->created = created;
	event->slot = binding->slot;
	event->kind = binding->kind;
	event->unused = 0;
	__builtin_memcpy(event->name, binding->name, PQ_NAME_BYTES);
	bpf_ringbuf_submit(event, 0);
#endif
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgroup, const char *path)
{
	struct pq_config *settings = get_config();
	struct pq_binding binding = {};
	struct pq_cgroup_name *name;
	struct pq_ticket *ticket;
	__u32 zero = 0;
	__u64 id, above;

	if (!settings || !is_unified(cgroup) || !cgroup->self.parent)
		return 0;
	id = cgroup->kn->id;
	above = cgroup->self.parent->cgroup->kn->id;
	name = bpf_map_lookup_elem(&pq_names, &zero);
	if (!name)
		return 0;
	__builtin_memset(name, 0, sizeof(*name));
	bpf_probe_read_kernel_str(name->text, CGROUP_NAME, cgroup->kn->name);
	if (!describe_child(&binding, name, settings, above))
		return 0;
	if (binding.kind == PQ_BOUND_CONTAINER) {
		ticket = bpf_map_lookup_elem(&pq_tickets, binding.name);
		binding.slot = ticket ? ticket->slot : 0;
	}
	if (bpf_map_update_elem(&pq_bindings, &id, &binding, BPF_ANY))
		count_loss(PQ_EVENT_CGROUP);
	tell_cgroup(id, &binding, true);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *cgroup, const char *path)
{
	struct pq_binding *binding;
	struct pq_binding copy;
	__u64 id;

	if (!is_unified(cgroup))
		return 0;
	id = cgroup->kn->id;
	binding = bpf_map_lookup_elem(&pq_bindings, &id);
	if (!binding)
		return 0;
	copy = *binding;
	bpf_map_delete_elem(&pq_bindings, &id);
	tell_cgroup(id, &copy, false);
	return 0;
}

#endif
