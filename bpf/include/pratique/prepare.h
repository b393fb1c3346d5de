/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a task is one of the container's, or one of the engine's that is about to become one. */
#ifndef PRATIQUE_PREPARE_H
#define PRATIQUE_PREPARE_H

#include "pratique/program.h"

#define CGROUP_LEVELS 32

/* up to 6.0 */
struct cgroup___ids {
	__u64 ancestor_ids[CGROUP_LEVELS];
} __attribute__((preserve_access_index));

PQ_INLINE __u64 ancestor_id(struct cgroup *cgroup, int level)
{
	struct cgroup *ancestor = 0;
	__u64 id = 0;

	if (bpf_core_field_exists(cgroup->ancestors)) {
		bpf_core_read(&ancestor, sizeof(ancestor), &cgroup->ancestors[level]);
		return BPF_CORE_READ(ancestor, kn, id);
	}
	bpf_core_read(&id, sizeof(id), &((struct cgroup___ids *)cgroup)->ancestor_ids[level]);
	return id;
}

PQ_INLINE bool is_inside(struct cgroup *cgroup, __u64 id)
{
	int level = BPF_CORE_READ(cgroup, level);

	for (int i = 0; i < CGROUP_LEVELS && i <= level; i++)
		if (ancestor_id(cgroup, i) == id)
			return true;
	return false;
}

/* Whether the parent of a task is outside of a container. */
PQ_INLINE bool comes_from_outside(struct task_struct *task, __u64 cgroup)
{
	return !is_inside(BPF_CORE_READ(task, real_parent, cgroups, dfl_cgrp), cgroup);
}

/*
 * Whether the engine is still preparing the current task. runc moves its child into the container's cgroup while the
 * child executes runc once more, from memory or from a file of the host (CVE-2019-5736); until it enters the container
 * the child has the mount namespace of its parent, and the parent is not in the container's cgroup. A process of the
 * container has a parent in the cgroup, or (the first one, orphans) one in another mount namespace.
 */
PQ_INLINE bool is_being_prepared(struct task_struct *task, __u64 cgroup)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns) == BPF_CORE_READ(task, real_parent, nsproxy, mnt_ns) &&
	       comes_from_outside(task, cgroup);
}

#endif
